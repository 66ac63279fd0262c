"""An image's noise is its own: batches, order and shards change nothing but the last rounding."""

import argparse

import numpy as np
import pytest
import torch

from gather_images import gather_images
from generate_diffusion import generate_diffusion
from segguided.config.sampling import Sampling
from segguided.data.slices import SliceSet, Stack, read_generated, write_stack
from segguided.generation.diffusion import make_sampler
from segguided.generation.sets import generate_images
from segguided.generation.shards import Shard
from segguided.models.denoiser import MaskedDenoiser
from segguided.training.storage import save_network
from support.tiny_models import MODEL


def sampling(batch_size=4):
    return Sampling(
        sampler="ddim", steps=3, timestep_spacing="trailing", batch_size=batch_size, precision="fp32"
    )


def stack(patient, n=5):
    rng = np.random.default_rng(len(patient))
    masks_SHW = rng.integers(0, 3, (n, 16, 16)).astype(np.uint8)
    return Stack(patient, masks_SHW * 100, masks_SHW, np.arange(float(n)), {"classes": ["a", "b"]})


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return MaskedDenoiser(MODEL, 2, 16).eval()


def run(network, slices, batch_size=4, seed=0):
    return generate_images(make_sampler(network, MODEL, sampling(), seed), slices, batch_size).astype(int)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batch_size_changes_nothing(network, batch_size):
    slices = SliceSet([stack("p"), stack("qq")])
    assert np.abs(run(network, slices) - run(network, slices, batch_size)).max() <= 1


def test_shards_change_nothing(network):
    slices = SliceSet([stack("p"), stack("qq")])
    odd = [i % 2 == 1 for i in range(len(slices))]
    assert np.abs(run(network, slices)[odd] - run(network, slices.where(odd))).max() <= 1


def test_seed_and_mask_change_the_image(network):
    slices = SliceSet([stack("p")])
    images = run(network, slices)
    assert images.shape == (5, 16, 16)
    assert images.std() > 5
    assert np.array_equal(images, run(network, slices))
    assert np.abs(images - run(network, slices, seed=1)).mean() > 1
    swapped = SliceSet([Stack("p", slices.images, slices.masks[::-1], np.arange(5.0), {})])
    assert np.abs(images - run(network, swapped)).mean() > 0.1


def test_script_writes_each_set_with_its_mask_ids_and_same_bytes_twice(network, tmp_path):
    description = {"kind": "diffusion", "model": MODEL.model_dump(), "n_classes": 2, "image_size": 16}
    save_network(network, tmp_path / "model.safetensors", description)
    for patient in ("p", "qq"):
        write_stack(tmp_path / f"{patient}.npz", stack(patient))
    sets = [[tmp_path / "p.npz"], [tmp_path / "qq.npz", tmp_path / "p.npz"]]
    for run_ in ("first", "second"):
        outputs = [tmp_path / run_ / "test.npz", tmp_path / run_ / "held-out.npz"]
        generate_diffusion(tmp_path / "model.safetensors", sampling(), sets, outputs, 0)
    for name in ("test.npz", "held-out.npz"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    images, names = read_generated(tmp_path / "first/held-out.npz")
    assert names == [f"{p}_slice_{i}" for p in ("p", "qq") for i in range(5)]
    assert images.dtype == np.uint8
    alone, _ = read_generated(tmp_path / "first/test.npz")
    assert np.abs(alone.astype(int) - images[:5]).max() <= 1


def written_shards(network, folder, count, batch_size=3):
    """The shards of two sets of five and of ten images, in order, by set."""
    description = {"kind": "diffusion", "model": MODEL.model_dump(), "n_classes": 2, "image_size": 16}
    save_network(network, folder / "model.safetensors", description)
    for patient in ("p", "qq"):
        write_stack(folder / f"{patient}.npz", stack(patient))
    sets = [[folder / "p.npz"], [folder / "qq.npz", folder / "p.npz"]]
    shards = [[folder / f"{k}-of-{count}" / f"{n}.npz" for k in range(1, count + 1)] for n in range(2)]
    for k in range(count):
        outputs = [one[k] for one in shards]
        drawn = (folder / "model.safetensors", sampling(batch_size), sets, outputs, 0)
        generate_diffusion(*drawn, Shard.parse(f"{k + 1}-of-{count}"))
    return sets, shards


@pytest.mark.parametrize("count", [2, 3, 7])
def test_gathered_shards_are_the_bytes_of_one_job(network, tmp_path, count):
    """Also with more shards than batches, and with a last batch that is smaller."""
    _, whole = written_shards(network, tmp_path, 1)
    sets, shards = written_shards(network, tmp_path, count)
    outputs = [tmp_path / "test.npz", tmp_path / "held-out.npz"]
    gather_images(sets, shards, outputs)
    for output, (one,) in zip(outputs, whole, strict=True):
        assert output.read_bytes() == one.read_bytes()


def test_gathering_refuses_shards_that_lack_or_are_out_of_order(network, tmp_path):
    sets, shards = written_shards(network, tmp_path, 2)
    output = tmp_path / "held-out.npz"
    with pytest.raises(ValueError, match=r"1-of-2/1.npz: ends after 6 of 10 images; delete the shards"):
        gather_images(sets[1:], [shards[1][:1]], [output])
    with pytest.raises(ValueError, match=r"2-of-2/1.npz: its 4 images, from qq_slice_1 on, are not those"):
        gather_images(sets[1:], [shards[1][::-1]], [output])
    with pytest.raises(ValueError, match=r"1-of-2/1.npz: its 6 images, .* follow the first 10 of 10"):
        gather_images(sets[1:], [shards[1] + shards[1][:1]], [output])
    assert not output.exists()


@pytest.mark.parametrize("text", ["0-of-3", "4-of-3", "1", "1-of-0", "a-of-b"])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected a shard such as 2-of-8"):
        Shard.parse(text)
