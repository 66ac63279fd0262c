"""A DICOM file takes no more memory than its header states, and large series are read slice by slice."""

import os
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from segguided.config.datasets import Preparation
from segguided.data.formats.dicom import files as dicom_files
from segguided.data.formats.dicom import voxels as dicom_voxels
from segguided.data.formats.dicom.series import read_series
from segguided.data.formats.volume import Volume, check_same_grid
from segguided.data.slices import Stack
from segguided.data.slicing import to_stack
from support import volume_files as vf
from support.refusals import series_refusal

MIB = 1 << 20


def refusal(folder: Path) -> str:
    """The message of the ValueError; no more than 40 MiB were taken until then."""
    tracemalloc.start()
    message = series_refusal(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * MIB
    return message


# Large series


def sliced(image: Volume, intensity: dict[str, Any]) -> Stack:
    values = {
        "source": {"kind": "nifti", "folder": "unused"},
        "classes": [{"name": "body", "label": 1}],
        "intensity": intensity,
        "image_size": 16,
    }
    mask = Volume(np.ones(image.array_zyx.shape, np.uint8), image.affine)
    check_same_grid(image, mask, "p")
    return to_stack("p", image, mask, Preparation.model_validate(values))


def as_they_are(k: int, dataset: Dataset) -> None:
    """Nothing special."""


def padded(k: int, dataset: Dataset) -> None:
    dataset.PixelPaddingValue = -500


def differing(k: int, dataset: Dataset) -> None:
    dataset.RescaleSlope = str(k + 1)
    dataset.RescaleIntercept = str(-k)


def inverted(k: int, dataset: Dataset) -> None:
    dataset.PhotometricInterpretation = "MONOCHROME1"


@pytest.mark.parametrize("change", [as_they_are, padded, differing, inverted], ids=lambda c: c.__name__)
@pytest.mark.parametrize("code", ["LPS", "LPI", "RAS", "PLS", "ARI"])
def test_slices_read_one_by_one_are_the_same_bytes(
    tmp_path: Path, code: str, change: Callable[[int, Dataset], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    vf.write_dicom(tmp_path, vf.stored_along(vf.truth(tilt_degrees=5), code), change=change)
    held = read_series(tmp_path)
    monkeypatch.setattr(dicom_voxels, "IN_MEMORY", 0)
    streamed = read_series(tmp_path)
    assert isinstance(held.array_zyx, np.ndarray) and not isinstance(streamed.array_zyx, np.ndarray)
    assert streamed.provenance == held.provenance and streamed.padding == held.padding
    np.testing.assert_array_equal(streamed.affine, held.affine)
    np.testing.assert_array_equal(np.stack(list(streamed.array_zyx)), held.array_zyx)
    for intensity in (
        {"kind": "percentile", "low": 0.5, "high": 99.5},
        {"kind": "percentile", "low": 0, "high": 100},
        {"kind": "percentile", "low": 12.3, "high": 77.7},
        {"kind": "window", "low": -700, "high": 100},
    ):
        from_held = sliced(held, intensity)
        from_streamed = sliced(streamed, intensity)
        np.testing.assert_array_equal(from_held.images_SHW, from_streamed.images_SHW)
        assert from_held.provenance == from_streamed.provenance


@pytest.mark.parametrize("code", ["PIL", "LIP"])
def test_a_large_series_of_another_plane_is_held(
    tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom_voxels, "IN_MEMORY", 0)
    vf.write_dicom(tmp_path, vf.stored_along(vf.truth(), code))
    volume = read_series(tmp_path)
    np.testing.assert_array_equal(volume.array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


@pytest.mark.parametrize("first", [0, 4, 8])
def test_a_large_series_that_needs_floats_is_held(
    tmp_path: Path, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(k: int, dataset: Dataset) -> None:
        dataset.RescaleSlope = "0.5" if k == first else "1"

    monkeypatch.setattr(dicom_voxels, "IN_MEMORY", 0)
    vf.write_dicom(tmp_path, vf.truth(), change=change)
    expected = vf.truth().array_ijk.transpose(2, 1, 0).astype(np.float32)
    expected[first] *= 0.5
    np.testing.assert_array_equal(read_series(tmp_path).array_zyx, expected)


# Headers and files whose sizes are not the stated ones


@pytest.mark.parametrize(("rows", "columns"), [(65535, 65535), (30000, 20000), (65535, 8000)])
def test_a_header_of_a_huge_image_is_refused_before_memory_is_taken(
    tmp_path: Path, rows: int, columns: int
) -> None:
    def change(k: int, dataset: Dataset) -> None:
        dataset.Rows = rows
        dataset.Columns = columns

    vf.write_dicom(tmp_path, vf.truth(), change=change)
    message = refusal(tmp_path)
    assert "at most 4 GiB" in message and "GiB;" in message


def test_many_slices_are_counted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vf.write_dicom(tmp_path, vf.truth())
    monkeypatch.setattr("segguided.data.formats.bounds.LARGEST_VOLUME", 2 * 8 * 7 * 9 - 1)
    assert f"{8 * 7 * 9} voxels" in refusal(tmp_path)
    monkeypatch.setattr("segguided.data.formats.bounds.LARGEST_VOLUME", 2 * 8 * 7 * 9)
    read_series(tmp_path)


def write_deflated(path: Path, extra: int) -> None:
    """Add zeros to the data set of a deflated file, as an element of its own after the pixels."""
    content = path.read_bytes()
    begin = 144 + int.from_bytes(content[140:144], "little")
    inflated = zlib.decompress(content[begin:], -15)
    inflated += b"\xfc\xff\xfc\xffOB\0\0" + extra.to_bytes(4, "little") + bytes(extra)
    deflater = zlib.compressobj(9, wbits=-15)
    path.write_bytes(content[:begin] + deflater.compress(inflated) + deflater.flush())


@pytest.mark.parametrize("extra", [0, 100, MIB // 2])
def test_a_deflated_file_reads(tmp_path: Path, extra: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_files, "INFLATED", MIB)
    for path in vf.write_dicom(tmp_path, vf.truth(), syntax=DeflatedExplicitVRLittleEndian):
        write_deflated(path, extra)
    np.testing.assert_array_equal(read_series(tmp_path).array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


@pytest.mark.parametrize("extra", [MIB, 60 * MIB, 200 * MIB])
def test_a_deflated_bomb_is_refused(tmp_path: Path, extra: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = vf.write_dicom(tmp_path, vf.truth(), syntax=DeflatedExplicitVRLittleEndian)[4]
    write_deflated(path, extra)
    assert path.stat().st_size < MIB
    monkeypatch.setattr(dicom_files, "INFLATED", MIB)
    message = refusal(tmp_path)
    assert path.name in message and "more than 1 MiB" in message


def test_a_deflated_bomb_without_a_preamble_is_refused(tmp_path: Path) -> None:
    path = vf.write_dicom(tmp_path, vf.truth(), syntax=DeflatedExplicitVRLittleEndian)[4]
    write_deflated(path, 60 * MIB)
    path.write_bytes(path.read_bytes()[132:])
    assert "preamble" in refusal(tmp_path)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_deflated_file_cut_short_is_damage(tmp_path: Path, share: float) -> None:
    path = vf.write_dicom(tmp_path, vf.truth(), syntax=DeflatedExplicitVRLittleEndian)[4]
    begin = 144 + int.from_bytes(path.read_bytes()[140:144], "little")
    path.write_bytes(path.read_bytes()[: begin + int((path.stat().st_size - begin) * share)])
    assert "truncated, damaged or no DICOM" in refusal(tmp_path)


def test_a_file_larger_than_any_slice_is_not_read(tmp_path: Path) -> None:
    path = vf.write_dicom(tmp_path, vf.truth())[4]
    os.truncate(path, 3 << 30)  # sparse: it takes no disk
    assert "3.0 GiB" in refusal(tmp_path)


@pytest.mark.parametrize("coded", [False, True], ids=["plain", "coded"])
def test_pixels_beyond_what_the_header_states_are_not_read(tmp_path: Path, coded: bool) -> None:
    path = vf.write_dicom(tmp_path, vf.truth(), syntax=ExplicitVRLittleEndian)[4]
    content = path.read_bytes()
    items = b"\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0" if coded else b""
    with path.open("wb") as file:
        file.write(content[: content.index(b"\xe0\x7f\x10\x00OW") + 8])
        file.write(items + (300 * MIB).to_bytes(4, "little"))
        file.seek(300 * MIB, os.SEEK_CUR)  # sparse: it takes no disk
        file.write(b"\xfe\xff\xdd\xe0\0\0\0\0")
    message = refusal(tmp_path)
    assert path.name in message and "the 112 bytes of the image" in message and "got 314,57" in message
