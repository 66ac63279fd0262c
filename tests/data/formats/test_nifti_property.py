"""Whatever NIfTI file is written is read back equal in the patient's space, or refused; nothing else."""

import bz2
import gzip
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from segguided.data.formats.nifti import read_image, read_labels
from segguided.data.formats.orientation import LPS_FROM_RAS
from support import generated_volumes as gv
from support.property_tests import MOST_REFUSED, SAME_EXAMPLES

MM_OF_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
DTYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
SCALES = [(1, 0), (0, 0), (np.nan, 0), (0.5, -3), (1, -1024), (2, 0)]


@dataclass(frozen=True)
class Case:
    """A file that a sane program may write."""

    version: int
    order: str
    dtype: str
    shape: tuple[int, int, int]
    trailing: int  # axes of one voxel after the three
    lps_mm: np.ndarray
    unit: int
    placed_by: str  # sform, qform, both
    scale: tuple[float, float]
    packing: str
    gap: int  # bytes between header and voxels
    ending: str
    seed: int
    labels: bool

    @property
    def is_sheared(self) -> bool:
        axes = self.lps_mm[:3, :3] / np.linalg.norm(self.lps_mm[:3, :3], axis=0)
        return not np.allclose(axes.T @ axes, np.eye(3), atol=1e-6)


@st.composite
def cases(draw: Any) -> Case:
    placed_by = draw(st.sampled_from(["sform", "qform", "both"]))
    labels = draw(st.booleans())
    return Case(
        draw(st.sampled_from([1, 2])),
        draw(st.sampled_from("<>")),
        draw(st.sampled_from(DTYPES)),
        draw(gv.shapes()),
        draw(st.integers(0, 4)),
        draw(gv.affines(shear=placed_by == "sform")),
        draw(st.sampled_from([0, 1, 2, 3])),
        placed_by,
        (1, 0) if labels else draw(st.sampled_from(SCALES)),
        draw(st.sampled_from(["plain", "gzip", "members", "padded", "garbage", "bzip2"])),
        draw(st.sampled_from([0, 16, 4096])),
        draw(st.sampled_from([".nii", ".nii.gz"])),
        draw(st.integers(0, 1000)),
        labels,
    )


def header_of(case: Case) -> Any:
    """The fields, set one by one: nibabel's own setters would choose codes and repair odd values."""
    kind = nib.Nifti1Header if case.version == 1 else nib.Nifti2Header
    header = kind(endianness=case.order)
    ras = LPS_FROM_RAS @ case.lps_mm
    ras[:3] /= MM_OF_UNIT[case.unit]
    spacing = np.linalg.norm(ras[:3, :3], axis=0)
    header["dim"] = [3 + case.trailing, *case.shape, *[1] * 4]
    header["datatype"] = nib.nifti1.data_type_codes.code[np.dtype(case.dtype)]
    header["bitpix"] = 8 * np.dtype(case.dtype).itemsize
    header["pixdim"] = [1, *spacing, 1, 1, 1, 1]
    header["xyzt_units"] = case.unit | 8
    header["vox_offset"] = header.single_vox_offset + case.gap
    header["scl_slope"], header["scl_inter"] = case.scale
    header["sform_code"] = case.placed_by in ("sform", "both")
    header["qform_code"] = case.placed_by in ("qform", "both")
    header["srow_x"], header["srow_y"], header["srow_z"] = (
        ras[:3] if header["sform_code"] else np.zeros((3, 4))
    )
    if header["qform_code"]:
        _set_quaternion(header, ras, spacing)
    return header


def _set_quaternion(header: Any, ras: np.ndarray, spacing: np.ndarray) -> None:
    rotation = ras[:3, :3] / spacing
    if np.linalg.det(rotation) < 0:
        rotation[:, 2] *= -1
        header["pixdim"][0] = -1
    _, b, c, d = nib.quaternions.mat2quat(rotation)
    header["quatern_b"] = b
    header["quatern_c"] = c
    header["quatern_d"] = d
    header["qoffset_x"], header["qoffset_y"], header["qoffset_z"] = ras[:3, 3]


def pack(data: bytes, packing: str) -> bytes:
    half = len(data) // 2
    return {
        "plain": data,
        "gzip": gzip.compress(data, 1, mtime=0),
        "members": gzip.compress(data[:half], 1, mtime=0) + gzip.compress(data[half:], 1, mtime=0),
        "padded": gzip.compress(data, 1, mtime=0) + bytes(512),
        "garbage": gzip.compress(data, 1, mtime=0) + b"after the end",
        "bzip2": bz2.compress(data),
    }[packing]


def write(path: Path, case: Case) -> np.ndarray:
    """The file; the values it holds, scaled, as float64 or whole numbers."""
    header = header_of(case)
    dtype = np.dtype(case.order + case.dtype)
    highest = min(case.seed * 7, np.iinfo(dtype).max if dtype.kind in "iu" else 10**6)
    stored = gv.voxels(case.shape, dtype, case.seed, highest if case.labels else None)
    start = header.binaryblock.ljust(int(header["vox_offset"]), b"\0")
    path.write_bytes(pack(start + stored.tobytes(order="F"), case.packing))
    slope, intercept = case.scale
    if not slope or np.isnan(slope) or case.scale == (1, 0):
        return stored
    return stored.astype(np.float64) * slope + intercept


def assert_as_itk_reads(path: Path, case: Case) -> None:
    """A reader that shares no line with ours puts the first and the last voxel at the same places."""
    image = sitk.ReadImage(str(path))
    for corner in ([0, 0, 0], [n - 1 for n in case.shape]):
        place = image.TransformIndexToPhysicalPoint(corner + [0] * (image.GetDimension() - 3))[:3]
        np.testing.assert_allclose(place, (case.lps_mm @ [*corner, 1])[:3], atol=0.02)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()

    @SAME_EXAMPLES
    @given(cases())
    def check(case: Case) -> None:
        path = tmp_path / f"v{case.ending}"
        values = write(path, case)
        counts["valid"] += 1
        try:
            volume = (read_labels if case.labels else read_image)(path)
        except ValueError as error:
            assert str(error).startswith(str(path)), error
            counts["refused"] += 1
            return
        # A rotation is stored in seven digits, of which a square root near half a turn loses half.
        exact = case.placed_by == "sform" or case.version == 2
        expected = values if case.labels else values.astype(np.float32)
        gv.assert_same_patient(volume, expected, case.lps_mm, 1e-3 if exact else 0.02)
        assert volume.provenance["suspicious_header"] is False
        usual_packing = "plain" if case.ending == ".nii" else "gzip"
        if case.packing == usual_packing and case.version == 1 and not case.is_sheared:  # which ITK reads too
            counts["compared"] += 1
            assert_as_itk_reads(path, case)

    check()
    assert counts["valid"] >= 500 and counts["compared"] >= 20
    assert counts["refused"] <= MOST_REFUSED * counts["valid"], counts


@st.composite
def damages(draw: Any) -> tuple[Case, list[tuple[int, int]], float]:
    """A file, bytes of its header to set (place, value), and the share of the file that is kept."""
    spots = st.tuples(st.integers(0, 351), st.integers(0, 255))
    return draw(cases()), draw(st.lists(spots, max_size=3)), draw(st.sampled_from([1, 1, 1, 0.05, 0.5, 0.98]))


def test_a_damaged_header_is_read_as_it_says_or_refused(tmp_path: Path) -> None:
    """Never a traceback; and what is read has the values and places that nibabel reads."""
    counts: Counter[str] = Counter()

    @SAME_EXAMPLES
    @given(damages())
    def check(damage: tuple[Case, list[tuple[int, int]], float]) -> None:
        case, spots, share = damage
        path = tmp_path / "v.nii"
        write(path, Case(**{**vars(case), "packing": "plain"}))
        data = bytearray(path.read_bytes())
        for place, value in spots:
            data[place] = value
        path.write_bytes(data[: int(len(data) * share)])
        try:
            volume = read_image(path)
        except ValueError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error), error
            counts["refused"] += 1
            return
        counts["read"] += 1
        expected = by_nibabel(path)
        if expected is not None:
            counts["compared"] += 1
            gv.assert_same_patient(volume, *expected, 0.02 * max(volume.spacing_zyx_mm))

    check()
    assert counts["read"] >= 50 and counts["refused"] >= 100 and counts["compared"] >= 50, counts


def by_nibabel(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Values and affine to LPS mm as nibabel reads them; None if it does not, or repairs them differently."""
    try:
        image: Any = nib.load(path)
        values = np.asarray(image.dataobj)
    except Exception:  # whatever it raises, and it raises many kinds
        return None
    with path.open("rb") as file:
        handedness = type(image.header).from_fileobj(file, check=False)["pixdim"][0]
    if handedness < 0 and handedness != -1:
        return None  # nibabel takes it for +1; for us, the standard's own library and ITK the sign counts
    affine = LPS_FROM_RAS @ image.affine
    affine[:3] *= MM_OF_UNIT[int(image.header["xyzt_units"]) & 7]
    return values.reshape(values.shape[:3]).astype(np.float32), affine
