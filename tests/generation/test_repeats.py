"""Masks that are repeated: equally many of each patient, and other noise for each image of one mask."""

import numpy as np

import repeat_masks as script
from segguided.cli import call
from segguided.data.slices import SliceSet, read_slices
from segguided.generation.diffusion import make_sampler
from segguided.generation.repeats import repeated_masks
from segguided.generation.sets import generate_images, write_generated
from segguided.generation.variants import read_variants
from support.tiny_models import MODEL
from support.tiny_sets import random_stack, small_sampling, tiny_denoiser, write_two_sets


def test_equally_many_masks_of_each_patient_are_repeated():
    test = SliceSet([random_stack("p", 10), random_stack("qq", 3)])
    stack = repeated_masks(test, 4, 3)
    names = ["p_slice_0", "p_slice_9", "qq_slice_0", "qq_slice_2"]
    assert stack.names == [f"{name}/{number}" for number in range(3) for name in names]
    rows = [test.names.index(name) for name in names]
    assert np.array_equal(stack.masks_SHW, np.concatenate([test.masks[rows]] * 3))
    assert np.array_equal(stack.images_SHW, np.concatenate([test.images[rows]] * 3))


def test_masks_without_a_class_are_passed_over():
    stack = random_stack("p", 6)
    stack.masks_SHW[:4] = 0
    assert set(repeated_masks(SliceSet([stack]), 5, 2).names) == {
        f"p_slice_{row}/{number}" for row in (4, 5) for number in (0, 1)
    }


def test_images_of_a_mask_differ_and_are_read_back_by_mask(tmp_path):
    network = tiny_denoiser()
    _, files = write_two_sets(network, tmp_path)
    words = ["--slices", *files, "--masks", 4, "--images-per-mask", 2, "--output", tmp_path / "repeated.npz"]
    call(script.repeat_masks, script.command_line(), words=list(map(str, words)))
    repeated = read_slices([tmp_path / "repeated.npz"])
    images = generate_images(make_sampler(network, MODEL, small_sampling(), 0), repeated, 4)
    output = tmp_path / "generated.npz"
    write_generated(output, tmp_path / "model.safetensors", repeated, images, repeated.names)
    variants, chosen = read_variants(output, read_slices(files))
    assert (list(variants), len(chosen)) == (["0", "1"], 4)
    assert not np.array_equal(variants["0"], variants["1"])
