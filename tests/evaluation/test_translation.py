"""Translated images, measured against their masks and the modality's own images."""

import pytest

from measure_translation import measure_translation
from segguided.config.sampling import Sampling
from segguided.data.slices import read_generated, read_slices
from segguided.evaluation.translation import translation_rows
from segguided.models.segmenter import load_segmenter
from segguided.text_tables import read_table
from translate_masks import translate_masks

SAMPLING = Sampling(sampler="ddim", steps=2, batch_size=3, precision="fp32")


def test_translated_images_are_measured_against_masks_and_the_modalitys_own_images(trained):
    """What measure_translation writes."""
    weights = trained / "model/model.safetensors"
    translate_masks(weights, [trained / "p.npz"], SAMPLING, [1, 2], 0, trained / "t.npz")
    slices = read_slices([trained / "p.npz"])
    generated = slices.with_images(*read_generated(trained / "t.npz"))
    evaluator = load_segmenter(trained / "segmenter/model.safetensors")
    alone = translation_rows(slices, generated, None, evaluator, ("a", "b"))
    assert [row["measure"] for row in alone] == ["dice_a", "dice_b", "dice_macro"]
    rows = {r["measure"]: r for r in translation_rows(slices, generated, slices, evaluator, ("a", "b"))}
    assert rows["ssim_untranslated"]["value"] == pytest.approx(1)
    assert rows["mae_untranslated"]["value"] == 0 < rows["mae"]["value"]
    assert rows["ssim"]["images"] == 4


def test_the_measuring_half_alone_may_be_measured(trained):
    """Of two patients, one chooses segmenters' epochs and the other is measured."""
    paths = [trained / "p.npz", trained / "q.npz"]
    paths[1].write_bytes(paths[0].read_bytes())
    translate_masks(trained / "model/model.safetensors", paths, SAMPLING, [1, 2], 0, trained / "two.npz")
    evaluator = trained / "segmenter/model.safetensors"
    classes = ["a", "b"]
    images = {}
    for seed in (None, 0):
        output = trained / "rows.csv"
        measure_translation(paths, trained / "two.npz", paths, evaluator, classes, classes, output, seed)
        images[seed] = {row["images"] for row in read_table(output, ",").rows}
    assert images == {None: {"8"}, 0: {"4"}}
