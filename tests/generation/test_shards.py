"""Sets generated in shards: the same bytes as by one job."""

import argparse

import pytest

from gather_images import gather_images
from generate_diffusion import generate_diffusion
from segguided.generation.shards import Shard
from support.tiny_sets import small_sampling, tiny_denoiser, write_two_sets


@pytest.fixture(scope="module")
def network():
    return tiny_denoiser()


def written_shards(network, folder, count, batch_size=3):
    """The shards of two sets of five and of ten images, in order, by set."""
    sets = write_two_sets(network, folder)
    shards = [[folder / f"{k}-of-{count}" / f"{n}.npz" for k in range(1, count + 1)] for n in range(2)]
    for k in range(count):
        outputs = [shards_of_set[k] for shards_of_set in shards]
        shard = Shard.parse(f"{k + 1}-of-{count}")
        generate_diffusion(folder / "model.safetensors", small_sampling(batch_size), sets, outputs, 0, shard)
    return sets, shards


@pytest.mark.parametrize("count", [2, 3, 7])
def test_gathered_shards_are_the_bytes_of_one_job(network, tmp_path, count):
    """Also with more shards than batches, and with a last batch that is smaller."""
    _, whole = written_shards(network, tmp_path, 1)
    sets, shards = written_shards(network, tmp_path, count)
    outputs = [tmp_path / "test.npz", tmp_path / "held-out.npz"]
    gather_images(sets, shards, outputs)
    for output, (set_of_one_job,) in zip(outputs, whole, strict=True):
        assert output.read_bytes() == set_of_one_job.read_bytes()


def test_gathering_refuses_shards_that_are_missing_or_out_of_order(network, tmp_path):
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
def test_text_that_names_no_shard_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected a shard such as 2-of-8"):
        Shard.parse(text)
