"""What a NIfTI header says of its voxels: shape, type, scale, and where they lie, in mm.

Of two stated positions the sform wins, as in nibabel and ITK. A header whose qform or spacing contradicts it
is read and marked unsure, like one that states no position; one that is not understood is refused.
"""

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from segguided.data.formats import forms

MM_OF_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # spatial part of xyzt_units: unknown, m, mm, µm
CODES = range(1, 6)  # of a position: scanner, aligned, Talairach, MNI, other template
PATIENT_MM = (1, 2)  # of these, the ones whose millimetres are the patient's own
QUATERNION_TOLERANCE = (
    1e-5  # of its squared length; numbers rounded to six digits make it up to 5e-6 too long
)
SMALLEST, LARGEST = 348, 540  # bytes of a header: NIfTI-1 and NIfTI-2
FARTHEST = 256 << 20  # bytes of a header and its extensions
SAME_SPACING = 0.01  # relative


@dataclass(frozen=True)
class NiftiHeader:
    """The layout of voxels in a file, and their place."""

    shape: tuple[int, int, int]
    dtype: np.dtype
    scale: tuple[float, float]  # slope, intercept
    ras_mm: np.ndarray  # (4, 4) from voxel indices (i, j, k, 1) to RAS mm
    unsure: bool  # the header states no real position, or two that differ
    single: bool  # header and voxels are one file
    offset: int  # bytes before the first voxel

    @property
    def voxels(self) -> int:
        """How many there are."""
        return self.shape[0] * self.shape[1] * self.shape[2]


def parse(start: bytes) -> NiftiHeader:
    """The header whose file begins with these bytes, up to 540.

    Raises EOFError where it is cut, and ValueError, saying what to do, where it is not understood.
    """
    header = _fields(start)
    single = bytes(start[344:347]) == b"n+1" or bytes(start[4:7]) == b"n+2"
    affine, unsure = _position(header)
    return NiftiHeader(
        _shape(header), _dtype(header), _scale(header), affine, unsure, single, _offset(header, single)
    )


def _fields(start: bytes) -> Any:
    first = [int.from_bytes(start[:4], order) for order in ("little", "big")]
    needed = next((size for size in (SMALLEST, LARGEST) if size in first), 0)
    if not start or len(start) < needed:
        raise EOFError("it ends within its header")
    if start[344:347] in (b"n+1", b"ni1"):
        order = "<" if 1 <= int.from_bytes(start[40:42], "little") <= 7 else ">"
        return nib.Nifti1Header(start[:SMALLEST], order, check=False)
    if needed == LARGEST and start[4:7] in (b"n+2", b"ni2"):
        return _second(start, "<" if first[0] == LARGEST else ">")
    if needed == SMALLEST:
        raise ValueError(
            "it is in the older Analyze format, which does not say where left and right are; convert it to "
            "NIfTI with a program that knows how it was made"
        )
    raise ValueError(f"it is {forms.named(start)}")


def _second(start: bytes, order: str) -> Any:
    header = nib.Nifti2Header(start, order, check=False)
    if tuple(header["eol_check"]) not in ((13, 10, 26, 10), (0, 0, 0, 0)):
        raise ValueError(
            "its field eol_check says that a transfer as text has changed its bytes; get it again, as binary"
        )
    return header


def _shape(header: Any) -> tuple[int, int, int]:
    rank = int(header["dim"][0])
    if not 1 <= rank <= 7:
        raise ValueError(f"its field dim[0] is {rank}, not a number of axes from 1 to 7; export it again")
    i, j, k, *others = [*map(int, header["dim"][1 : rank + 1]), *[0] * (3 - rank)]
    if rank < 3 or any(n != 1 for n in others):
        stated = tuple(map(int, header["dim"][1 : rank + 1]))
        raise ValueError(f"it is no 3-D volume, got shape {stated}; extract one volume first")
    if min(i, j, k) < 1:
        raise ValueError(f"each axis needs a voxel at least, got shape {(i, j, k)}; export it again")
    return i, j, k


def _dtype(header: Any) -> np.dtype:
    code = int(header["datatype"])
    try:
        dtype: np.dtype = header.get_data_dtype()
    except (KeyError, HeaderDataError):
        dtype = np.dtype("V")
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        name = dtype if dtype.kind != "V" or dtype.names else "a type not known"
        raise ValueError(f"it holds no grey values, got {name} (datatype {code}); convert it")
    return dtype


def _scale(header: Any) -> tuple[float, float]:
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise ValueError(
            f"its scale is scl_slope {float(header['scl_slope']):g} and scl_inter "
            f"{float(header['scl_inter']):g}; correct the header"
        ) from error
    return (1.0, 0.0) if slope is None else (slope, intercept)


def _offset(header: Any, single: bool) -> int:
    offset, size = float(header["vox_offset"]), int(header.single_vox_offset)
    if not offset.is_integer() or offset < (size if single else 0):
        raise ValueError(
            f"its field vox_offset is {offset:g}, but its voxels begin at byte {size if single else 0} at "
            "the earliest; export it again"
        )
    if offset > FARTHEST:
        raise ValueError(f"its field vox_offset is {offset:g}, more than any header takes; export it again")
    return int(offset)


def _position(header: Any) -> tuple[np.ndarray, bool]:
    """The affine to RAS mm, and whether it is unsure."""
    _mend(header)
    unit = int(header["xyzt_units"]) & 7
    if unit not in MM_OF_UNIT:
        raise ValueError(
            f"its field xyzt_units names {unit} as the unit of length, which is none (1 metre, 2 millimetre, "
            "3 micrometre, 0 unknown, taken as millimetre); correct the header"
        )
    affine, unsure = _stated(header)
    placeless = np.allclose(np.abs(affine), np.eye(4))  # signs aside: axes may have been flipped since
    in_mm = affine.copy()
    in_mm[:3] *= MM_OF_UNIT[unit]
    return in_mm, unsure or bool(placeless)


def _stated(header: Any) -> tuple[np.ndarray, bool]:
    sform_code, qform_code = int(header["sform_code"]), int(header["qform_code"])
    unknown = bool({sform_code, qform_code} - {0, *CODES})
    if sform_code in CODES:
        affine = _usable(header.get_sform(), "sform (srow_x, srow_y, srow_z)")
        return affine, unknown or _contradicted(header, affine, sform_code, qform_code)
    _check_spacing(header)
    if qform_code in CODES:
        return _usable(_qform(header), "qform (quatern_b, c, d, qoffset_x, y, z and pixdim)"), unknown
    return _usable(header.get_base_affine(), "spacing (pixdim)"), True


def _usable(affine: np.ndarray, name: str) -> np.ndarray:
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not lengths.all():
        raise ValueError(
            f"its {name} places no voxel: not invertible, got {affine[:3].tolist()}; correct the header"
        )
    return affine


def _check_spacing(header: Any) -> None:
    spacing = header["pixdim"][1:4]
    if not np.isfinite(spacing).all() or not spacing.all():
        raise ValueError(
            f"its spacing (pixdim) is {', '.join(f'{mm:g}' for mm in spacing)}, and no sform gives another; "
            "correct the header"
        )


def _mend(header: Any) -> None:
    """What other readers forgive as well: the sign of a spacing, and a quaternion a trifle too long."""
    pixdim = header["pixdim"]
    pixdim[1:4] = np.abs(pixdim[1:4])
    pixdim[0] = -1 if pixdim[0] < 0 else 1
    names = ("quatern_b", "quatern_c", "quatern_d")
    squared = sum(float(header[name]) ** 2 for name in names)
    if abs(float(header.quaternion_threshold)) <= squared - 1 <= QUATERNION_TOLERANCE:
        for name in names:
            header[name] = float(header[name]) / np.sqrt(squared)


def _qform(header: Any) -> np.ndarray:
    length = float(np.sqrt(sum(float(header[f"quatern_{axis}"]) ** 2 for axis in "bcd")))
    if not length**2 <= 1 + QUATERNION_TOLERANCE:  # so that NaN is refused as well
        raise ValueError(
            f"its quaternion (quatern_b, quatern_c, quatern_d) has the length {length:.7g}, 1 at the most "
            "is a rotation; correct the header"
        )
    # The last bits of a double are too little a tolerance for numbers that were just divided.
    header.quaternion_threshold = -max(abs(header.quaternion_threshold), 4e-15)
    return np.asarray(header.get_qform())


def _contradicted(header: Any, sform: np.ndarray, sform_code: int, qform_code: int) -> bool:
    """Whether the rest of the header says otherwise: spacing, or a qform that is meant for the same space."""
    spacing, stated = np.linalg.norm(sform[:3, :3], axis=0), header["pixdim"][1:4]
    if sform_code in PATIENT_MM and not np.allclose(stated, spacing, rtol=SAME_SPACING, atol=0):
        return True
    if qform_code not in CODES:
        return False
    try:
        qform = _qform(header)
    except ValueError:
        return True
    if qform_code != sform_code:  # two spaces: of them only the directions need to agree
        return nib.aff2axcodes(qform) != nib.aff2axcodes(sform)
    return _apart(sform, qform, header["dim"][1:4]) > _tolerance(spacing, header["dim"][1:4])


def _apart(first: np.ndarray, second: np.ndarray, shape: np.ndarray) -> float:
    """The largest distance of a corner from itself, along an axis."""
    ends = np.array(np.meshgrid(*((0, n - 1) for n in shape), [1])).reshape(4, -1)
    return float(np.abs((first - second) @ ends).max())


def _tolerance(spacing: np.ndarray, shape: np.ndarray) -> float:
    """A voxel, or what the rounding of a quaternion near half a turn does to a large volume."""
    return max(float(spacing.min()), 0.002 * float(np.linalg.norm(spacing * shape)))
