"""An image's noise is its own: batches and order change nothing but the last rounding."""

import numpy as np
import pytest

from generate_diffusion import generate_diffusion
from segguided.data.slices import SliceSet, Stack, read_generated
from segguided.generation.diffusion import make_sampler
from segguided.generation.sets import generate_images
from support.tiny_models import MODEL
from support.tiny_sets import random_stack, small_sampling, tiny_denoiser, write_two_sets


@pytest.fixture(scope="module")
def network():
    return tiny_denoiser()


def run(network, slices, batch_size=4, seed=0):
    sampler = make_sampler(network, MODEL, small_sampling(), seed)
    return generate_images(sampler, slices, batch_size).astype(int)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batch_size_changes_nothing(network, batch_size):
    slices = SliceSet([random_stack("p"), random_stack("qq")])
    assert np.abs(run(network, slices) - run(network, slices, batch_size)).max() <= 1


def test_the_other_slices_of_a_set_change_nothing(network):
    slices = SliceSet([random_stack("p"), random_stack("qq")])
    odd = [i % 2 == 1 for i in range(len(slices))]
    assert np.abs(run(network, slices)[odd] - run(network, slices.where(odd))).max() <= 1


def test_seed_and_mask_change_the_image(network):
    slices = SliceSet([random_stack("p")])
    images = run(network, slices)
    assert images.shape == (5, 16, 16)
    assert images.std() > 5
    assert np.array_equal(images, run(network, slices))
    assert np.abs(images - run(network, slices, seed=1)).mean() > 1
    swapped = SliceSet([Stack("p", slices.images, slices.masks[::-1], np.arange(5.0), {})])
    assert np.abs(images - run(network, swapped)).mean() > 0.1


def test_script_writes_each_set_with_its_mask_ids_and_same_bytes_twice(network, tmp_path):
    sets = write_two_sets(network, tmp_path)
    for run_name in ("first", "second"):
        outputs = [tmp_path / run_name / "test.npz", tmp_path / run_name / "held-out.npz"]
        generate_diffusion(tmp_path / "model.safetensors", small_sampling(), sets, outputs, 0)
    for name in ("test.npz", "held-out.npz"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    images, names = read_generated(tmp_path / "first/held-out.npz")
    assert names == [f"{p}_slice_{i}" for p in ("p", "qq") for i in range(5)]
    assert images.dtype == np.uint8
    alone, _ = read_generated(tmp_path / "first/test.npz")
    assert np.abs(alone.astype(int) - images[:5]).max() <= 1
