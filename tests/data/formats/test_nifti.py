"""NIfTI files of any axis order come back in LPS; labels are exact whole numbers or an error."""

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from segguided.data.formats.nifti import check_complete, read_image, read_labels
from support import volume_files as vf
from support.refusals import refusal


@pytest.mark.parametrize("tilt", [0, 10])
@pytest.mark.parametrize("code", ["LAS", "LPS", "RAS", "PIL", "LIP", "SRA"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_axis_orders_give_the_truth(tmp_path: Path, code: str, tilt: int, ending: str) -> None:
    truth = vf.truth(tilt)
    volume = read_image(vf.write_nifti(tmp_path / f"volume-0{ending}", vf.stored_along(truth, code)))
    assert volume.array_zyx.dtype == np.int16
    np.testing.assert_array_equal(volume.array_zyx.transpose(2, 1, 0), truth.array_ijk)
    np.testing.assert_allclose(volume.affine, truth.affine, atol=1e-4)
    z, y, x = np.argwhere(volume.array_zyx == vf.MARKER)[0]
    np.testing.assert_allclose((volume.affine @ [x, y, z, 1])[:3], vf.marker_mm(truth), atol=1e-4)
    expected = {
        "format": "nifti",
        "file": f"volume-0{ending}",
        "stored_axes": code,
        "suspicious_header": False,
    }
    assert volume.provenance == expected


def test_the_scale_is_applied(tmp_path: Path) -> None:
    path = vf.write_nifti(tmp_path / "scaled.nii.gz", vf.truth(), slope=0.5, inter=-1024)
    with gzip.open(path) as file:
        header = nib.Nifti1Header.from_fileobj(file)
    assert header.get_slope_inter() == (0.5, -1024)  # the file really holds scaled integers
    np.testing.assert_allclose(read_image(path).array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


def label_truth() -> vf.Stored:
    """The object as labels 0…4, the marker being 4."""
    truth = vf.truth()
    return vf.Stored(
        np.searchsorted([-1000, -500, 40, 300, 1500], truth.array_ijk).astype(np.int16), truth.affine
    )


@pytest.mark.parametrize("slope", [1, 0.3333333, 1 / 255])
def test_labels_stored_as_scaled_floats_are_rounded(tmp_path: Path, slope: float) -> None:
    path = vf.write_nifti(tmp_path / "labels.nii.gz", vf.stored_along(label_truth(), "RAS"), slope=slope)
    volume = read_labels(path)
    assert volume.array_zyx.dtype == np.uint8
    np.testing.assert_array_equal(volume.array_zyx.transpose(2, 1, 0), label_truth().array_ijk)


@pytest.mark.parametrize("value", [2.5, 2.98, -1, 2.0**32, 1e30, np.nan, np.inf, -np.inf])
def test_values_that_are_no_labels(tmp_path: Path, value: float) -> None:
    stored = vf.Stored(label_truth().array_ijk.astype(np.float32), label_truth().affine)
    stored.array_ijk[3, 4, 5] = value
    message = refusal(vf.write_nifti(tmp_path / "labels.nii", stored), read_labels)
    assert "whole-number labels" in message and f"got {value:g} at voxel (3, 4, 5)" in message


def test_an_identity_header_is_suspicious(tmp_path: Path) -> None:
    for diagonal in ([1, 1, 1, 1], [-1, -1, 1, 1]):
        stored = vf.Stored(vf.truth().array_ijk, np.diag(np.array(diagonal, float)))
        assert read_image(vf.write_nifti(tmp_path / "v.nii", stored)).provenance["suspicious_header"] is True
    uncoded = vf.write_nifti(tmp_path / "uncoded.nii", vf.truth(), coded=False)
    assert read_image(uncoded).provenance["suspicious_header"] is True


def test_trailing_axes_of_one_are_dropped_and_others_refused(tmp_path: Path) -> None:
    truth = vf.truth()
    path = vf.write_nifti(tmp_path / "one.nii", vf.Stored(truth.array_ijk[..., None], truth.affine))
    np.testing.assert_array_equal(read_image(path).array_zyx.transpose(2, 1, 0), truth.array_ijk)
    two = np.stack([truth.array_ijk] * 2, axis=-1)
    assert "3-D volume, got shape (7, 8, 9, 2)" in refusal(
        vf.write_nifti(tmp_path / "two.nii", vf.Stored(two, truth.affine)), read_image
    )


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("read", [read_image, read_labels])
def test_truncated_files(tmp_path: Path, share: float, ending: str, read: Any) -> None:
    path = vf.cut(vf.write_nifti(tmp_path / f"volume{ending}", label_truth()), share)
    assert "truncated or damaged" in refusal(path, read)


def test_a_damaged_gzip_and_a_web_page(tmp_path: Path) -> None:
    path = vf.write_nifti(tmp_path / "volume.nii.gz", vf.truth())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert "truncated or damaged" in refusal(path, read_image)


@pytest.mark.parametrize("read", [read_image, read_labels, check_complete])
def test_the_checksum_at_the_end_is_compared(tmp_path: Path, read: Any) -> None:
    """Also when more than the voxels comes before it."""
    path = vf.write_nifti(tmp_path / "volume.nii.gz", label_truth())
    data = gzip.compress(gzip.decompress(path.read_bytes()) + bytes(3_000_000))
    path.write_bytes(data)
    read(path)
    path.write_bytes(data[:-8] + bytes([data[-8] ^ 1]) + data[-7:])
    assert "truncated or damaged" in refusal(path, read)


def test_a_header_that_asks_for_all_memory(tmp_path: Path) -> None:
    data = bytearray(gzip.decompress(vf.write_nifti(tmp_path / "v.nii.gz", vf.truth()).read_bytes()))
    data[42:48] = np.array([32000] * 3, "<i2").tobytes()
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(data))
    assert "32,768,000,000,000 voxels" in refusal(tmp_path / "v.nii.gz", read_image)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_voxels_begin_where_the_header_says(tmp_path: Path, ending: str) -> None:
    data = bytearray(vf.write_nifti(tmp_path / "v.nii", vf.truth()).read_bytes())
    data[108:112] = np.array([384], "<f4").tobytes()
    data[352:352] = bytes(32)
    path = tmp_path / f"v{ending}"
    path.write_bytes(gzip.compress(data) if ending == ".nii.gz" else data)
    np.testing.assert_array_equal(read_image(path).array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_both_versions_in_either_byte_order(tmp_path: Path, kind: Any, order: str, ending: str) -> None:
    """Whole numbers stay what they are, as int16, and labels as uint8."""
    for stored, read, dtype in (
        (vf.truth(), read_image, np.int16),
        (label_truth(), read_labels, np.uint8),
    ):
        header = kind.header_class(endianness=order)
        header.set_data_dtype(stored.array_ijk.dtype.newbyteorder(order))
        affine = np.diag([-1, -1, 1, 1]) @ stored.affine
        kind(stored.array_ijk, affine, header).to_filename(tmp_path / f"v{ending}")
        array_zyx = read(tmp_path / f"v{ending}").array_zyx
        assert array_zyx.dtype == dtype
        np.testing.assert_array_equal(array_zyx.transpose(2, 1, 0), stored.array_ijk)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("scale", [(1, 0), (0.1, 0), (1, -1024), (0.0123, 7)])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "f4", "f8"])
def test_values_are_those_nibabel_reads(
    tmp_path: Path, dtype: str, scale: tuple[float, float], ending: str
) -> None:
    """To the last bit, whatever the numbers are stored as; also where extensions follow the header."""
    limits = np.iinfo(dtype) if dtype[0] in "iu" else np.finfo("f4")
    values = np.random.default_rng(0).uniform(max(limits.min, -1e6), min(limits.max, 1e6), (5, 4, 3))
    image = nib.Nifti1Image(values.astype(dtype), np.diag([-2.0, -2, 2, 1]))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"from the scanner"))
    data = bytearray(image.to_bytes())
    data[112:120] = np.array(scale, "<f4").tobytes()
    path = tmp_path / f"v{ending}"
    path.write_bytes(gzip.compress(data) if ending == ".nii.gz" else data)
    expected_xyz = nib.load(path).get_fdata(dtype=np.float32)
    array_zyx = read_image(path).array_zyx
    assert array_zyx.dtype == (
        np.int16 if dtype[0] == "i" and dtype != "i4" and scale == (1, 0) else np.float32
    )
    np.testing.assert_array_equal(array_zyx.transpose(2, 1, 0), expected_xyz)


@pytest.mark.parametrize("code", ["RAS", "LPS"])
@pytest.mark.parametrize("slope", [1, 0.5])
def test_a_volume_is_held_once(tmp_path: Path, code: str, slope: float) -> None:
    """Also if it has to be turned; a slice and the unpacking take a little more."""
    array = np.random.default_rng(0).integers(0, 250, (256, 256, 30)).astype(np.int16)
    stored = vf.stored_along(vf.Stored(array, vf.truth().affine), code)
    for read, path in (
        (read_image, vf.write_nifti(tmp_path / "image.nii.gz", stored)),
        (read_labels, vf.write_nifti(tmp_path / "labels.nii.gz", stored, slope=slope)),
    ):
        tracemalloc.start()
        array_zyx = read(path).array_zyx
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < array.nbytes + (0 if array_zyx.dtype == np.int16 else array_zyx.nbytes) + 3e6


def test_missing_file_and_wrong_kind(tmp_path: Path) -> None:
    assert "there is none" in refusal(tmp_path / "volume-7.nii.gz", read_image)
    colour = np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.Nifti1Image(colour, np.diag([2, 2, 2, 1])).to_filename(tmp_path / "colour.nii")
    assert "no grey values, got [('R', 'u1')" in refusal(tmp_path / "colour.nii", read_image)
    nib.MGHImage(np.zeros((2, 2, 2), np.float32), np.eye(4)).to_filename(tmp_path / "brain.mgz")
    assert "grey values, but it is an MGH file" in refusal(tmp_path / "brain.mgz", read_image)


def test_singular_affine(tmp_path: Path) -> None:
    path = vf.write_nifti(tmp_path / "flat.nii", vf.truth())
    data = bytearray(path.read_bytes())
    data[252:254] = bytes(2)  # qform_code 0: only the sform counts
    data[312:328] = bytes(16)  # srow_z
    path.write_bytes(data)
    assert "not invertible" in refusal(path, read_image)


def test_nan_voxels_are_counted_and_located(tmp_path: Path) -> None:
    truth = vf.truth(dtype=np.float32)
    truth.array_ijk[1, 2, 3] = np.nan
    truth.array_ijk[0, 0, 5] = np.inf
    truth.array_ijk[1, 0, 5] = -np.inf
    message = refusal(vf.write_nifti(tmp_path / "v.nii.gz", truth), read_image)
    assert "3 voxels are NaN or infinite, the first at z=3, y=2, x=1" in message
