"""Translated images, measured against their masks and the modality's own images."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from measure_translation import measure_translation
from segguided.config.sampling import Sampling
from segguided.data.slices import SliceSet, read_generated, read_slices, read_stack
from segguided.evaluation.translation import start_rows, translation_rows
from segguided.generation.variants import write_variants
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


def test_a_value_that_the_model_does_not_know_is_refused(trained):
    with pytest.raises(ValueError, match="from 0 to 2, the classes of the model, got 3;"):
        translate_masks(
            trained / "model/model.safetensors", [trained / "p.npz"], SAMPLING, [1, 3], 0, trained / "t.npz"
        )
    assert not (trained / "t.npz").exists()


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


def test_images_that_start_from_the_image_are_compared_by_patient(trained):
    """Ten grey levels nearer to the target in one patient and twenty in the other; the Dice is the same."""
    stack = read_stack(trained / "p.npz")
    slices = SliceSet([replace(stack, patient=patient) for patient in "pqr"])
    shift_S = np.repeat([30, 40, 50], 4)[:, None, None]
    dark = slices.masks * 50
    alone, started, target = (
        slices.with_images((dark + shift).astype(np.uint8), slices.names)
        for shift in (shift_S, np.full_like(shift_S, 20), np.zeros_like(shift_S))
    )
    evaluator = load_segmenter(trained / "segmenter/model.safetensors")
    rows = {r["measure"]: r for r in start_rows(alone, {"image": started}, target, evaluator, ("a", "b"))}
    assert rows["mae_from_image"]["value"] == 20
    difference = rows["mae_from_image_minus_mask"]
    assert difference["value"] == -20
    half = stats.t.isf(0.025, 2) * 10 / np.sqrt(3)
    assert (difference["low"], difference["high"]) == pytest.approx((-20 - half, -20 + half))
    assert {"dice_a_from_image", "dice_macro_from_image_minus_mask", "ssim_from_image"} <= set(rows)
    one = SliceSet([alone.stacks[0]])
    alone_rows = start_rows(one, {"image": one}, None, evaluator, ("a", "b"))
    assert [row["measure"] for row in alone_rows if "mae" in row["measure"]] == []
    assert "low" not in alone_rows[-1], "one patient says nothing about others"


def test_the_table_holds_both_starts(trained):
    weights = trained / "model/model.safetensors"
    paths = [trained / "p.npz"]
    translate_masks(weights, paths, SAMPLING, [1, 2], 0, trained / "t.npz")
    slices = read_slices(paths)
    started = {"image": slices.images, "matched": 255 - slices.images}
    write_variants(trained / "started.npz", started, slices.names)
    evaluator = trained / "segmenter/model.safetensors"
    classes, output = ["a", "b"], trained / "rows.csv"
    generated = {"generated": trained / "t.npz", "from_images": trained / "started.npz"}
    measure_translation(
        paths,
        own=paths,
        evaluator=evaluator,
        mask_classes=classes,
        classes=classes,
        output=output,
        **generated,
    )
    rows = {row["measure"]: row for row in read_table(output, ",").rows}
    assert rows["mae_from_image"]["value"] == "0.0"
    assert float(rows["mae_from_image_minus_mask"]["value"]) < 0 and not rows["mae"]["low"]
    assert float(rows["mae_from_matched"]["value"]) > 0
