"""Rare cases: which masks are made how often, and a segmenter trained with their images."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from generate_rare import generate_rare
from segguided.config.experiments import AllowedChanges
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.data.augmented import read_rare_set
from segguided.data.slices import SliceSet, Stack, read_slices, write_stack
from segguided.generation.new_masks import make_new_mask
from segguided.generation.rare import make_rare_masks
from segguided.models.segmenter import load_segmenter
from support.partial_sets import stack
from train_augmented import train_augmented
from train_segmenter import train_segmenter

SAMPLING = Sampling(sampler="ddim", steps=2, batch_size=3, precision="fp32")
CHANGES = AllowedChanges(deformation=0.05)
SETTINGS = Segmenter(channels=(4, 8), training=Training(epochs=3, batch_size=2, learning_rate=1e-2))


def discs(patient):
    """Slices with a disc of 1 that grows, and from slice 2 on a smaller one of 2 in it."""
    rows, columns = np.indices((32, 32)) - 15.5
    radius = np.hypot(rows, columns)
    masks_SHW = np.stack([np.where(radius < 8 + i, 1, 0) + (radius < 2 * (i - 1)) for i in range(6)])
    masks_SHW = masks_SHW.astype(np.uint8)
    return Stack(patient, masks_SHW * 100, masks_SHW, np.arange(6.0), {})


def test_sources_are_used_equally_often_and_the_rare_class_is_measured():
    slices = SliceSet([discs("p"), discs("q")])
    rare = make_rare_masks(slices, None, 2, 12, CHANGES, 0)
    assert rare.rare_class == 2
    pixels = np.bincount(slices.masks.ravel())
    assert rare.shares_C.tolist() == (pixels[1:] / pixels[1:].sum()).tolist()
    sources = [name.rsplit("/", 1)[0] for name in rare.slices.names]
    assert len(sources) == len(set(rare.slices.names)) == 12
    assert all(int(source[-1]) >= 2 for source in sources)
    assert (rare.slices.masks == 2).any(axis=(1, 2)).all()
    with pytest.raises(ValueError, match="no held-out mask holds the rare class"):
        make_rare_masks(SliceSet([stack(n=3)]), 3, 3, 6, CHANGES, 0)


def test_where_no_new_mask_is_valid_the_setting_is_named():
    """Areas of one and the same square, which no deformed one has to the pixel."""
    masks_SHW = np.zeros((1, 32, 32), np.uint8)
    masks_SHW[:, 10:22, 10:22] = 1
    slices = SliceSet([Stack("p", masks_SHW, masks_SHW, np.zeros(1), {})])
    with pytest.raises(ValueError, match=r"gave a valid one; lower applications\.rare\.deformation"):
        make_rare_masks(slices, 1, 1, 3, AllowedChanges(deformation=0.1), 0)


def test_where_the_last_sources_fail_the_others_take_their_place(monkeypatch):
    """A single mask is left to make, of the first source, of which no valid one can be made."""
    slices = SliceSet([discs("p"), discs("q")])
    first = next(name for name, mask in zip(slices.names, slices.masks, strict=True) if (mask == 2).any())

    def fails_with_the_first(real, row, *arguments):
        return None if real.names[row] == first else make_new_mask(real, row, *arguments)

    monkeypatch.setattr("segguided.generation.rare.make_new_mask", fails_with_the_first)
    rare = make_rare_masks(slices, 2, 2, 8, CHANGES, 0)
    assert len(set(rare.slices.names)) == 8
    assert first not in {name.rsplit("/", 1)[0] for name in rare.slices.names}


def history(folder):
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_both_trainings_have_the_same_steps_batches_and_validations(trained):
    weights = trained / "model/model.safetensors"
    slices = [trained / "p.npz"]
    write_stack(trained / "q.npz", replace(read_slices(slices).stacks[0], patient="q"))
    generate_rare(weights, slices, SAMPLING, 2, None, 6, CHANGES, 0, trained / "rare.npz")
    rare = read_rare_set(trained / "rare.npz", read_slices(slices))
    assert rare.masks_NHW.shape == rare.images_NHW.shape == (6, 16, 16)
    test = [*slices, trained / "q.npz"]
    train_segmenter(slices, None, test, 0, SETTINGS, 2, 0, trained / "without/model.safetensors", 1e9)
    output = trained / "with/model.safetensors"
    train_augmented(slices, trained / "rare.npz", test, 0, SETTINGS, 2, 0, output, 1e9)
    without = history(trained / "without")
    augmented = history(trained / "with")
    assert [row["step"] for row in augmented] == [row["step"] for row in without] == ["2", "4", "6"]
    assert [row["loss"] for row in augmented] != [row["loss"] for row in without], "other images"
    assert all("validation_loss" in row for row in augmented)
    load_segmenter(output)
