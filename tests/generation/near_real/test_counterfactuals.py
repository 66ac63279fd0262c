"""Counterfactual images: the edit inside, the real image outside, and what is measured and drawn of them."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from draw_counterfactual import draw_counterfactual
from generate_counterfactual import generate_counterfactual
from measure_counterfactual import measure_counterfactual
from segguided.config.experiments import Counterfactuals
from segguided.config.sampling import Generation
from segguided.data.slices import read_slices, read_stack, write_stack
from segguided.evaluation.csv_files import read_csv
from segguided.figures.settings import FigureDataset
from segguided.generation.near_real.counterfactuals import EditedMasks, counterfactual_images
from segguided.generation.near_real.start import RealStart
from segguided.generation.variants import read_seen_variants, read_variants

SETTINGS = Counterfactuals(masks=3, edits=("remove", "grow"), distance=0.1, steps=25)
GENERATION = Generation(batch_size=2, precision="fp32")
CLASSES = ["a", "b"]


@pytest.fixture
def folder(trained):
    """The folder of `trained`, whose masks are a block of 2 in 1, and two sets of counterfactual images."""
    stack = read_stack(trained / "p.npz")
    masks_SHW = np.ones_like(stack.masks_SHW)
    masks_SHW[:, 5:11, 4:10] = 2
    for patient in "pq":
        write_stack(trained / f"{patient}.npz", replace(stack, patient=patient, masks_SHW=masks_SHW))
    for name in ("first", "second"):
        generate_counterfactual(
            weights=trained / "model/model.safetensors",
            slices=[trained / "p.npz"],
            donors=[trained / "q.npz"],
            sampling=GENERATION,
            counterfactuals=SETTINGS,
            n_classes=2,
            edited_class=2,
            seed=0,
            output=trained / f"{name}.npz",
        )
    return trained


def test_the_same_bytes_twice_with_the_edited_masks_beside_the_images(folder):
    assert (folder / "first.npz").read_bytes() == (folder / "second.npz").read_bytes()
    test = read_slices([folder / "p.npz"])
    variants, chosen = read_variants(folder / "first.npz", test)
    masks = read_seen_variants(folder / "first.npz", test)
    assert list(variants) == list(masks)
    assert list(variants) == [f"{e}/{v}" for e in ("remove", "grow") for v in ("near", "alone/0", "alone/1")]
    assert len(chosen) == 3
    assert (masks["remove/near"] == 1).all()
    assert not np.array_equal(variants["grow/alone/0"], variants["grow/alone/1"]), "two seeds"


def test_without_an_edit_the_image_is_the_real_one(folder):
    """λ = 1: outside the edit the model's own image of the mask cancels out; with λ = ½ only half of it."""
    start = RealStart(folder / "model/model.safetensors", GENERATION, SETTINGS, 0)
    slices = read_slices([folder / "p.npz"])
    edited = EditedMasks(slices, {"grow": slices.masks})
    near = counterfactual_images(start, edited, 1.0).images["grow/near"]
    assert np.array_equal(near, slices.images)
    half = counterfactual_images(start, edited, 0.5).images["grow/near"]
    assert np.abs(half.astype(int) - slices.images).mean() > 0


def test_what_is_measured_and_drawn(folder):
    measure_counterfactual(
        slices=[folder / "p.npz"],
        generated=folder / "first.npz",
        evaluator=folder / "segmenter/model.safetensors",
        edited_class=2,
        classes=CLASSES,
        output=folder / "rows.csv",
    )
    frame = read_csv(folder / "rows.csv")
    assert frame["edit"].tolist() == ["remove", "grow"]
    assert np.isnan(frame["dice"][0]) and frame["dice"][1] >= 0, "a removed class has no Dice"
    assert (frame["change_outside"] < frame["change_inside"]).all()
    expected = frame["change_outside"] / frame["seeds_outside"]
    assert np.allclose(frame["ratio_outside"], expected)
    assert frame["edited_share"][0] == pytest.approx(36 / 256)
    assert set(frame["patients"]) == {1} and frame["difference_low"].isna().all(), "one patient"
    classes = [{"name": "a", "color": "red"}, {"name": "b", "color": "blue"}]
    dataset = FigureDataset(
        name="set", classes=classes, slices=(folder / "p.npz",), generated={"m": folder / "first.npz"}
    )
    paths = {"png": folder / "edits.png", "markdown": folder / "edits.md"}
    draw_counterfactual(dataset, "m", "b", folder / "rows.csv", **paths)
    assert Image.open(folder / "edits.png").height > 500
    text = (folder / "edits.md").read_text()
    assert text.startswith("## Counterfactual images of set by m\n\n| edit")
    assert "| b: removed |" in text and "means over 1 patients (3 masks)" in text
    with pytest.raises(ValueError, match="set: no images of other; there are m"):
        draw_counterfactual(dataset, "other", "b", folder / "rows.csv", **paths)
