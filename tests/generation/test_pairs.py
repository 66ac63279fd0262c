"""The paired dataset: laid out as the released one, equal bytes from equal images."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from generate_paired import generate_paired
from pair_images import pair_images
from segguided.config.sampling import Sampling
from segguided.data.formats.npz import write_npz
from segguided.data.slices import read_slices

SAMPLING = Sampling(sampler="ddim", steps=2, batch_size=3, precision="fp32")


def test_paired_dataset_has_the_released_layout_and_the_same_bytes_twice(trained):
    for name in ("first.zip", "second.zip"):
        weights = trained / "model/model.safetensors"
        generate_paired(weights, [trained / "p.npz"], SAMPLING, 2, [2], 0, trained / "g.npz")
        pair_images([trained / "p.npz"], trained / "g.npz", ["a", "b"], ["b"], trained / name)
    assert (trained / "first.zip").read_bytes() == (trained / "second.zip").read_bytes()
    slices = read_slices([trained / "p.npz"])
    with zipfile.ZipFile(trained / "first.zip") as archive:
        names = archive.namelist()
        assert sorted(names) == sorted(
            ["README.txt"]
            + [f"synthetic_data/condon_{n}.png" for n in slices.names]
            + [f"synthetic_segmentations/condon_{n}.png" for n in slices.names]
            + [f"{part}/{n}.png" for part in ("real_data", "segmentations") for n in slices.names]
        )
        for part, expected in (("real_data", slices.images), ("segmentations", slices.masks)):
            with archive.open(f"{part}/{slices.names[1]}.png") as file:
                assert np.array_equal(np.asarray(Image.open(file)), expected[1])
        kept = np.where(slices.masks[1] == 2, 2, 0)
        assert kept.any()
        with archive.open(f"synthetic_segmentations/condon_{slices.names[1]}.png") as file:
            assert np.array_equal(np.asarray(Image.open(file)), kept)
        with archive.open(f"synthetic_data/condon_{slices.names[1]}.png") as file:
            assert np.asarray(Image.open(file)).std() > 5
        assert "were kept: b." in archive.read("README.txt").decode()


def test_a_set_without_the_masks_that_its_images_follow_is_refused(trained, tmp_path):
    slices = read_slices([trained / "p.npz"])
    write_npz(tmp_path / "g.npz", {}, images=slices.images, names=np.array(slices.names, str))
    with pytest.raises(ValueError, match="expected masks of the shape of its images"):
        pair_images([trained / "p.npz"], tmp_path / "g.npz", ["a", "b"], ["b"], tmp_path / "pairs.zip")
    assert not (tmp_path / "pairs.zip").exists()
