"""Rare cases: which masks are used how often, and a segmenter trained with their images."""

from dataclasses import replace

import numpy as np
import pytest

from generate_rare import generate_rare
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.data.slices import SliceSet, read_generated, read_slices, write_stack
from segguided.generation.rare import generate_rare_cases
from segguided.models.segmenter import load_segmenter
from support.partial_sets import CLASSES, grey_of_class, stack
from train_augmented import train_augmented

SAMPLING = Sampling(sampler="ddim", steps=2, batch_size=3, precision="fp32")


def test_rare_masks_are_used_equally_often_each_time_with_other_noise():
    slices = SliceSet([stack("p"), stack("q")])
    images, ids = generate_rare_cases(grey_of_class, slices, 3, len(CLASSES), 6, batch_size=4)
    holders = ["p_slice_4", "p_slice_5", "q_slice_4", "q_slice_5"]
    assert ids == [*(f"{name}/0" for name in holders), "p_slice_4/1", "q_slice_5/1"]
    assert np.array_equal(images[0], slices.stacks[0].masks_SHW[4] * 50)
    with pytest.raises(ValueError, match="no held-out mask holds the rare class"):
        generate_rare_cases(grey_of_class, SliceSet([stack(n=3)]), 3, len(CLASSES), 6, batch_size=4)


def test_rare_case_scripts_generate_and_train_with_the_images_added(trained):
    weights = trained / "model/model.safetensors"
    slices = [trained / "p.npz"]
    generate_rare(weights, slices, SAMPLING, 2, 2, 6, 0, trained / "rare.npz")
    assert len(read_generated(trained / "rare.npz")[1]) == 6
    settings = Segmenter(channels=(4, 8), training=Training(epochs=2, batch_size=5, learning_rate=1e-2))
    output = trained / "with/model.safetensors"
    write_stack(trained / "q.npz", replace(read_slices(slices).stacks[0], patient="q"))
    test = [*slices, trained / "q.npz"]
    train_augmented(slices, trained / "rare.npz", test, 0, settings, 2, 0, output, 1e9)
    history = (trained / "with/history.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in history[1:]] == ["2", "4"], "two batches of five: ten images"
    load_segmenter(trained / "with/model.safetensors")
