"""What a NIfTI header says is followed: units, positions, scale, type; unknown statements are refused."""

import bz2
import gzip
import io
import os
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from segguided.data.formats.nifti import check_complete, read_image, read_labels
from segguided.data.formats.volume import Volume
from support.refusals import refusal

AFFINE = np.diag([-1.5, -1.0, 3.0, 1.0])
ARRAY = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4)


def write(
    path: Path,
    affine: np.ndarray = AFFINE,
    array: np.ndarray = ARRAY,
    kind: Any = nib.Nifti1Image,
    **fields: Any,
) -> Path:
    """A .nii whose sform and qform are `affine`, then the header's `fields` set as they are."""
    image = kind(array, affine, dtype=array.dtype)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    data = image.to_bytes()
    size = image.header.sizeof_hdr
    header = type(image.header).from_fileobj(io.BytesIO(data[:size]), check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + data[size:])
    return path


def spacing(path: Path) -> list[float]:
    return [round(mm, 6) for mm in read_image(path).spacing_zyx_mm]


# --- units of length ---


@pytest.mark.parametrize("placed_by", ["sform", "qform", "pixdim"])
@pytest.mark.parametrize(
    ("unit", "mm"), [(0, 1), (1, 1000), (2, 1), (3, 0.001), (2 | 8, 1), (3 | 16, 0.001), (1 | 24, 1000)]
)
def test_lengths_are_in_the_unit_of_the_header(tmp_path: Path, unit: int, mm: float, placed_by: str) -> None:
    affine = AFFINE.copy()
    affine[:3, 3] = 30, -20, 70
    affine[:3] /= mm
    codes = {"sform_code": placed_by == "sform", "qform_code": placed_by == "qform"}
    path = write(tmp_path / "v.nii", affine, xyzt_units=unit, **codes)
    assert spacing(path) == [3, 1, 1.5]
    if placed_by != "pixdim":
        volume = read_image(path)
        place = volume.affine @ [*(0, 0, 0), 1]
        np.testing.assert_allclose(place[:3], (-30, 20, 70), atol=1e-4)


@pytest.mark.parametrize("unit", [4, 5, 6, 7])
def test_an_unknown_unit(tmp_path: Path, unit: int) -> None:
    assert f"names {unit} as the unit of length" in refusal(
        write(tmp_path / "v.nii", xyzt_units=unit), read_image
    )


@pytest.mark.parametrize(
    ("unit", "size"), [(1, 1.5), (3, 0.005), (2, 2000.0)], ids=["mm called m", "nm", "giant"]
)
def test_a_spacing_no_body_has(tmp_path: Path, unit: int, size: float) -> None:
    path = write(tmp_path / "v.nii", np.diag([size, size, size, 1]), xyzt_units=unit)
    assert "is the header in another unit of length?" in refusal(path, read_image)


def test_voxels_of_half_a_micrometre(tmp_path: Path) -> None:
    assert spacing(write(tmp_path / "v.nii", np.diag([-0.5, -0.5, 0.5, 1]), xyzt_units=3)) == [0.0005] * 3


# --- positions that contradict one another ---


def mirrored(axis: int) -> np.ndarray:
    affine = AFFINE.copy()
    affine[axis] *= -1
    return affine


def two_positions(path: Path, qform: np.ndarray, codes: tuple[int, int] = (1, 1)) -> Volume:
    image = nib.Nifti1Image(ARRAY, None)
    image.header.set_qform(qform, codes[1])
    image.header.set_sform(AFFINE, codes[0])
    image.header["pixdim"][1:4] = np.linalg.norm(AFFINE[:3, :3], axis=0)
    path.write_bytes(nib.Nifti1Image(ARRAY, None, image.header).to_bytes())
    return read_image(path)


MOVED = np.array(AFFINE) + np.array([[0, 0, 0, 9.0]] * 3 + [[0, 0, 0, 0]])
TILTED = np.diag([1.0, np.cos(0.3), np.cos(0.3), 1])
TILTED[1, 2] = -np.sin(0.3)
TILTED[2, 1] = np.sin(0.3)
SWAPPED = AFFINE[:, [1, 0, 2, 3]]


@pytest.mark.parametrize("qform", [mirrored(0), mirrored(1), mirrored(2), MOVED, TILTED @ AFFINE, SWAPPED])
def test_two_positions_that_differ_are_marked(tmp_path: Path, qform: np.ndarray) -> None:
    """The sform counts."""
    volume = two_positions(tmp_path / "v.nii", qform)
    assert volume.provenance["suspicious_header"] is True
    np.testing.assert_allclose(np.abs(np.diag(volume.affine)), [1.5, 1, 3, 1])
    assert volume.provenance["stored_axes"] == "LPS"


@pytest.mark.parametrize(
    ("qform", "codes"),
    [
        (AFFINE, (1, 1)),
        (AFFINE + 1e-5 * np.eye(4), (1, 1)),
        (AFFINE + np.array([[0, 0, 0, 0.4]] * 3 + [[0, 0, 0, 0]]), (1, 1)),  # less than a voxel
        (MOVED, (2, 1)),  # aligned with another scan
        (TILTED @ AFFINE, (4, 1)),
    ],
)
def test_two_positions_that_agree_are_not_marked(
    tmp_path: Path, qform: np.ndarray, codes: tuple[int, int]
) -> None:
    assert two_positions(tmp_path / "v.nii", qform, codes).provenance["suspicious_header"] is False


@pytest.mark.parametrize(
    "fields",
    [
        {"pixdim": [1, 0.7, 0.7, 5, 1, 1, 1, 1]},
        {"pixdim": [1, 0, 0, 0, 1, 1, 1, 1]},
        {"pixdim": [1, np.nan, 1, 3, 1, 1, 1, 1]},
        {"quatern_b": 3.0},
        {"quatern_c": np.nan},
        {"sform_code": 9},
        {"sform_code": 0, "qform_code": 0},
    ],
)
def test_a_header_in_doubt_is_marked(tmp_path: Path, fields: dict[str, Any]) -> None:
    assert read_image(write(tmp_path / "v.nii", **fields)).provenance["suspicious_header"] is True


# --- the sign of the third axis ---

ONE_BIT = 2.0**-52  # the least change of a double near 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("qfac", "axes"),
    [
        (1, "LPS"),
        (0, "LPS"),
        (-0.0, "LPS"),
        (1 + ONE_BIT, "LPS"),
        (7, "LPS"),
        (np.nan, "LPS"),
        (-1, "LPI"),
        (-1 - ONE_BIT, "LPI"),  # one flipped bit; nibabel takes this for +1
        (-1e-40, "LPI"),
        (-7, "LPI"),
        (-np.inf, "LPI"),
    ],
)
def test_only_the_sign_of_qfac_counts(
    tmp_path: Path, qfac: float, axes: str, version: int, order: str
) -> None:
    """As in the standard's own library: qfac = (pixdim[0] < 0.0) ? -1.0 : 1.0."""
    kind = (nib.Nifti1Image, nib.Nifti2Image)[version - 1]
    path = write(tmp_path / "v.nii", kind=kind, sform_code=0, pixdim=[qfac, 1.5, 1, 3, 1, 1, 1, 1])
    header = kind.header_class.from_fileobj(io.BytesIO(path.read_bytes()), check=False)
    voxels = ARRAY.astype(f"{order}i2").tobytes(order="F")
    start = header.as_byteswapped(order).binaryblock.ljust(int(header["vox_offset"]), b"\0")
    path.write_bytes(start + voxels)
    volume = read_image(path)
    assert volume.provenance["stored_axes"] == axes
    if version == 1:  # which ITK reads too
        third = sitk.ReadImage(str(path)).GetDirection()[8]
        assert third == (1 if axes == "LPS" else -1)


# --- positions that place no voxel ---


@pytest.mark.parametrize("version", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("too_long", [2e-7, 1e-6, 3e-6])
def test_a_quaternion_slightly_too_long(tmp_path: Path, too_long: float, version: Any) -> None:
    fields = {"sform_code": 0, "quatern_b": 0, "quatern_c": 0, "quatern_d": 1 + too_long}
    volume = read_image(write(tmp_path / "v.nii", kind=version, **fields))
    assert volume.provenance["stored_axes"] == "LPS"
    np.testing.assert_allclose(np.abs(np.diag(volume.affine)), [1.5, 1, 3, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quatern_d", 1.1),
        ("quatern_b", np.nan),
        ("quatern_c", np.inf),
        ("quatern_b", 1e30),
        ("qoffset_x", np.nan),
        ("qoffset_y", -np.inf),
        ("pixdim", [1, 0, 1, 1, 1, 1, 1, 1]),
        ("pixdim", [1, 1, np.nan, 1, 1, 1, 1, 1]),
        ("pixdim", [1, 1, 1, np.inf, 1, 1, 1, 1]),
    ],
)
def test_a_qform_that_places_no_voxel(tmp_path: Path, field: str, value: Any) -> None:
    message = refusal(write(tmp_path / "v.nii", sform_code=0, **{field: value}), read_image)
    assert field[:7] in message and "correct the header" in message


@pytest.mark.parametrize("row", ["srow_x", "srow_y", "srow_z"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0])
def test_an_sform_that_places_no_voxel(tmp_path: Path, row: str, value: float) -> None:
    message = refusal(write(tmp_path / "v.nii", **{row: [value] * 4}), read_image)
    assert "sform (srow_x, srow_y, srow_z) places no voxel" in message


def test_two_axes_in_one_direction(tmp_path: Path) -> None:
    path = write(tmp_path / "v.nii", srow_x=[1, 1, 0, 0], srow_y=[1, 1, 0, 0], srow_z=[0, 0, 1, 0])
    assert "not invertible" in refusal(path, read_image)


def lengths(affine: np.ndarray) -> list[float]:
    return [float(mm) for mm in np.linalg.norm(affine[:3, :3], axis=0)]


def test_a_slanted_volume_is_read(tmp_path: Path) -> None:
    """A gantry tilted by 25°. No qform can state it, so the two positions differ, and that is marked."""
    slanted = AFFINE.copy()
    slanted[1, 2] = 3 * np.tan(np.deg2rad(25))
    slanted[2, 2] = 3
    volume = read_image(write(tmp_path / "v.nii", slanted))
    np.testing.assert_allclose(volume.affine[1, 2], -slanted[1, 2], rtol=1e-6)
    assert volume.provenance["suspicious_header"] is True
    alone = read_image(
        write(tmp_path / "v.nii", slanted, qform_code=0, pixdim=[1, *lengths(slanted), *[1] * 4])
    )
    assert alone.provenance["suspicious_header"] is False


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "fields", [{"srow_x": [1e300] * 4}, {"sform_code": 4, "pixdim": [1, *[1e300] * 3, *[1] * 4]}]
)
def test_numbers_beyond_float64_end_in_a_sentence(tmp_path: Path, fields: dict[str, Any]) -> None:
    """And not in a warning from numpy."""
    path = write(tmp_path / "v.nii", kind=nib.Nifti2Image, xyzt_units=1, **fields)
    assert "expected voxels of" in refusal(path, read_image) or "not invertible" in refusal(path, read_image)


# --- axes, types and scales ---


@pytest.mark.parametrize("shape", [(6, 5, 0), (0, 5, 4), (6, 0, 4), (6, 5, 4, 0)])
@pytest.mark.parametrize("read", [read_image, read_labels])
def test_an_axis_without_voxels(tmp_path: Path, shape: tuple[int, ...], read: Any) -> None:
    path = write(tmp_path / "v.nii", array=np.zeros(shape, np.int16))
    assert "got shape" in refusal(path, read)


@pytest.mark.parametrize(
    "dim",
    [
        [3, -6, 5, 4, 1, 1, 1, 1],
        [2, 6, 20, 1, 1, 1, 1, 1],
        [5, 6, 5, 2, 1, 2, 1, 1],
        [4, 6, 5, 2, 2, 1, 1, 1],
        [3, -1, 1, 1, 1, 1, 1, 1],
    ],
)
def test_axes_that_make_no_volume(tmp_path: Path, dim: list[int]) -> None:
    assert "got shape" in refusal(write(tmp_path / "v.nii", dim=dim), read_image)


@pytest.mark.parametrize("rank", [0, -3, 8, 300])
def test_an_impossible_number_of_axes(tmp_path: Path, rank: int) -> None:
    message = refusal(write(tmp_path / "v.nii", dim=[rank, 6, 5, 4, 1, 1, 1, 1]), read_image)
    assert "not a number of axes" in message


@pytest.mark.parametrize("code", [0, 1, 32, 128, 1536, 1792, 2048, 2304, 9999, -4])
def test_types_that_are_no_grey_values(tmp_path: Path, code: int) -> None:
    message = refusal(write(tmp_path / "v.nii", datatype=code), read_image)
    assert "holds no grey values" in message and f"(datatype {code}); convert it" in message


@pytest.mark.parametrize("slope", [0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("intercept", [0, 7, np.nan])
def test_an_unusable_slope_means_no_scale(tmp_path: Path, slope: float, intercept: float) -> None:
    volume = read_image(write(tmp_path / "v.nii", scl_slope=slope, scl_inter=intercept))
    assert volume.array_zyx.dtype == np.int16 and sorted(volume.array_zyx.ravel()) == list(range(120))


@pytest.mark.parametrize("intercept", [np.nan, np.inf, -np.inf])
def test_a_slope_with_an_unusable_intercept(tmp_path: Path, intercept: float) -> None:
    assert "its scale is scl_slope 2" in refusal(
        write(tmp_path / "v.nii", scl_slope=2, scl_inter=intercept), read_image
    )


@pytest.mark.parametrize("offset", [0, 100, 351, -352, np.nan, np.inf, 352.5, 1e30])
def test_an_impossible_offset(tmp_path: Path, offset: float) -> None:
    assert "vox_offset" in refusal(write(tmp_path / "v.nii", vox_offset=offset), read_image)


# --- labels ---


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        ([0, 517, 1034], np.uint16),
        ([0, 1, 255], np.uint8),
        ([0, 256], np.uint16),
        ([0, 2035, 14175], np.uint16),
        ([0, 65535, 65536], np.uint32),
        ([0, 614_454_277], np.uint32),
    ],
)
@pytest.mark.parametrize("stored", [np.uint16, np.int32, np.uint32, np.int64, np.float32, np.float64])
def test_labels_of_any_size(tmp_path: Path, labels: list[int], dtype: Any, stored: Any) -> None:
    array = np.array(labels)[ARRAY % len(labels)].astype(stored)
    if not np.array_equal(array, np.array(labels)[ARRAY % len(labels)]):
        pytest.skip("this type cannot hold the labels")
    volume = read_labels(write(tmp_path / "v.nii", array=array))
    assert volume.array_zyx.dtype == dtype
    np.testing.assert_array_equal(volume.array_zyx.transpose(2, 1, 0), array)


# --- files ---


def test_packing_is_recognised_by_content(tmp_path: Path) -> None:
    plain = write(tmp_path / "v.nii").read_bytes()
    packed = gzip.compress(plain)
    forms = {
        "plain.nii": plain,
        "packed.nii": packed,
        "plain.nii.gz": plain,
        "packed.nii.gz": packed,
        "NAME.NII.GZ": packed,
        "bare": packed,
        "members.nii.gz": gzip.compress(plain[:500]) + gzip.compress(plain[500:]),
        "padded.nii.gz": packed + bytes(1000),
        "garbage.nii.gz": packed + b"<!-- a server's remark -->",
        "bzip2.nii.bz2": bz2.compress(plain),
    }
    for name, data in forms.items():
        (tmp_path / name).write_bytes(data)
        np.testing.assert_array_equal(np.sort(read_image(tmp_path / name).array_zyx, axis=None), range(120))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "truncated or damaged (it ends within its header)"),
        (b"<html>404</html>", "it is a web page"),
        (b"x" * 900, "of an unknown form"),
        (b"NRRD0004\ntype: short\n\n", "it is an NRRD file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\0" * 128 + b"DICM" + b"\0" * 300, "it is a DICOM file"),
        (b"PK\x03\x04" + b"\0" * 400, "it is a zip file"),
        (
            gzip.compress(gzip.compress(b"\x5c\1\0\0" + bytes(400), mtime=0), mtime=0),
            "it is a gzip file; unpack it once",
        ),
        ((348).to_bytes(4, "little") + bytes(400), "the older Analyze format"),
        ((348).to_bytes(4, "big") + bytes(400), "the older Analyze format"),
        ((540).to_bytes(4, "little") + b"x" * 900, "of an unknown form"),
        ((540).to_bytes(4, "little") + b"n+2\0" + b"x" * 100, "truncated or damaged"),
        ((540).to_bytes(4, "little") + b"n+2\0\n\n" + b"x" * 900, "a transfer as text"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_other_files_are_named(tmp_path: Path, content: bytes, kind: str, zipped: bool) -> None:
    path = tmp_path / "v.nii.gz"
    path.write_bytes(gzip.compress(content) if zipped and content[:2] != b"\x1f\x8b" else content)
    message = refusal(path, read_image)
    assert kind in message
    assert ("get it again" in message) == ("truncated" in kind or "text" in kind or "unknown" in kind)


def test_a_pair_of_header_and_voxels(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(ARRAY, AFFINE), tmp_path / "v.img")
    for name in ("v.img", "v.hdr"):
        np.testing.assert_array_equal(np.sort(read_image(tmp_path / name).array_zyx, axis=None), range(120))
    (tmp_path / "v.img").write_bytes((tmp_path / "v.img").read_bytes()[:-1])
    assert "truncated or damaged" in refusal(tmp_path / "v.hdr", read_image)
    (tmp_path / "v.img").unlink()
    assert "the .img is not beside it" in refusal(tmp_path / "v.hdr", read_image)
    (tmp_path / "v.hdr").rename(tmp_path / "v.img")
    assert "the .hdr is not beside it" in refusal(tmp_path / "v.img", read_image)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_truncation_anywhere(tmp_path: Path, kind: Any, zipped: bool) -> None:
    """At every 7th byte, and at the ends of header and voxels."""
    whole = write(tmp_path / "v.nii", kind=kind).read_bytes()
    data = gzip.compress(whole) if zipped else whole
    for length in {
        *range(0, len(data), 7),
        4,
        347,
        348,
        351,
        352,
        539,
        540,
        544,
        len(data) - 1,
        len(data) - 8,
    }:
        if length < len(data):
            (tmp_path / "v.nii").write_bytes(data[:length])
            assert "truncated or damaged" in refusal(tmp_path / "v.nii", read_image) or length < 4


def test_every_bit_of_a_gzip_counts(tmp_path: Path) -> None:
    """Except those of gzip's own header, such as the time of packing."""
    data = gzip.compress(write(tmp_path / "v.nii").read_bytes())
    for place in [*range(10, len(data), 11), len(data) - 8, len(data) - 1]:
        flipped = bytearray(data)
        flipped[place] ^= 4
        (tmp_path / "v.nii.gz").write_bytes(flipped)
        assert "truncated or damaged" in refusal(tmp_path / "v.nii.gz", read_image)
        assert "truncated or damaged" in refusal(tmp_path / "v.nii.gz", check_complete)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.nii.gz")
    (tmp_path / "folder.nii.gz").mkdir()
    (tmp_path / "device.nii.gz").symlink_to("/dev/zero")
    (tmp_path / "lost.nii.gz").symlink_to("nowhere")
    (tmp_path / "loop.nii.gz").symlink_to("loop.nii.gz")
    kinds = {"pipe": "a pipe", "folder": "a folder", "device": "a device", "lost": "there is none"}
    for name, expected in kinds.items():
        assert expected in refusal(tmp_path / f"{name}.nii.gz", read_image)


# --- load ---


@pytest.mark.parametrize(
    "dim",
    [
        [3, 32767, 32767, 32767, 1, 1, 1, 1],
        [3, 2000, 2000, 2000, 1, 1, 1, 1],
        [3, 1, 32767, 32767, 1, 1, 1, 1],
    ],
)
@pytest.mark.parametrize("datatype", [4, 64, 1024])
def test_a_header_that_asks_for_too_much(tmp_path: Path, dim: list[int], datatype: int) -> None:
    if np.prod(dim[1:4], dtype=float) * 4 < 4 << 30 or (datatype == 4 and dim[1] == 1):
        pytest.skip("not too much")
    path = write(tmp_path / "v.nii", dim=dim, datatype=datatype)
    assert "GiB" in refusal(path, read_image)


def test_a_bomb_after_the_voxels(tmp_path: Path) -> None:
    whole = write(tmp_path / "v.nii").read_bytes()
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(whole) + gzip.compress(bytes(1 << 28), 1))
    assert "over 256 MiB follow its last voxel" in refusal(tmp_path / "v.nii.gz", read_image)
