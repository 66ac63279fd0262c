"""Likeness of generated and real images against λ."""

import numpy as np

from measure_similarity import measure_similarity
from segguided.evaluation.csv_files import read_csv
from support.partial_sets import LAMBDAS


def test_measured_against_the_real_image(similar_sets):
    measure_similarity(
        dataset="set",
        generated=similar_sets / "first.npz",
        slices=[similar_sets / "p.npz"],
        evaluator=similar_sets / "segmenter/model.safetensors",
        classes="ab",
        output=similar_sets / "similarity.csv",
    )
    frame = read_csv(similar_sets / "similarity.csv")
    assert frame["lambda"].tolist() == [0, *LAMBDAS]
    assert np.isfinite(frame[["ssim", "mae", "dice_macro"]]).all(axis=None)
    assert set(frame["images"]) == {3}
    assert set(frame["dataset"]) == {"set"}
