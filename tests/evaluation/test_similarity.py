"""Likeness of generated and real images against λ."""

from dataclasses import replace

import numpy as np

from measure_similarity import measure_similarity
from segguided.data.slices import read_stack, write_stack
from segguided.evaluation.csv_files import read_csv
from support.partial_sets import LAMBDAS


def test_measured_against_the_real_image(similar_sets):
    other = read_stack(similar_sets / "p.npz")
    images_SHW = np.where(other.masks_SHW == 1, 130, 160).astype(np.uint8)
    write_stack(similar_sets / "r.npz", replace(other, patient="r", images_SHW=images_SHW))
    measure_similarity(
        dataset="set",
        generated=similar_sets / "first.npz",
        slices=[similar_sets / "p.npz"],
        train=[similar_sets / "r.npz"],
        evaluator=similar_sets / "segmenter/model.safetensors",
        classes="ab",
        output=similar_sets / "similarity.csv",
    )
    frame = read_csv(similar_sets / "similarity.csv")
    assert np.isfinite(frame[["diversity_a", "diversity_b", "diversity_macro", "variation_macro"]]).all(
        axis=None
    )
    assert frame["lambda"].tolist() == [0, *LAMBDAS]
    assert np.isfinite(frame[["ssim", "mae", "dice_macro"]]).all(axis=None)
    assert set(frame["images"]) == {6}
    assert set(frame["dataset"]) == {"set"}
