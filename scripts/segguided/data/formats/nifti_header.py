"""What a NIfTI header says of its voxels: shape, type, scale and, from nifti_orientation.py, their place."""

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from segguided.data.formats import file_kinds
from segguided.data.formats.nifti_orientation import read_affine

SMALLEST = 348  # bytes of a NIfTI-1 header
LARGEST = 540  # bytes of a NIfTI-2 header
FARTHEST = 256 << 20  # bytes of a header and its extensions


@dataclass(frozen=True)
class NiftiHeader:
    """How the voxels are stored in a file, and where they are in the patient."""

    shape: tuple[int, int, int]
    dtype: np.dtype
    scale: tuple[float, float]  # slope, intercept
    ras_affine: np.ndarray  # (4, 4) from voxel indices (i, j, k, 1) to RAS mm
    is_unsure: bool  # the header states no real position, or two that differ
    is_single_file: bool  # header and voxels are in one file
    offset: int  # bytes before the first voxel

    @property
    def voxels(self) -> int:
        """How many there are."""
        return self.shape[0] * self.shape[1] * self.shape[2]


def parse(start: bytes, volumes: int = 1) -> NiftiHeader:
    """The header of a file that begins with these bytes, of which the first 540 are needed.

    Its `shape` is that of one of the `volumes` that are expected.

    Raises EOFError if it is truncated, and ValueError, saying what to do, if it is not understood.
    """
    header = _fields(start)
    is_single_file = bytes(start[344:347]) == b"n+1" or bytes(start[4:7]) == b"n+2"
    ras_affine, is_unsure = read_affine(header)
    return NiftiHeader(
        shape=_shape(header, volumes),
        dtype=_dtype(header),
        scale=_scale(header),
        ras_affine=ras_affine,
        is_unsure=is_unsure,
        is_single_file=is_single_file,
        offset=_offset(header, is_single_file),
    )


def _fields(start: bytes) -> Any:
    """nibabel's header of these bytes, in the file's version and byte order."""
    first_number = [int.from_bytes(start[:4], order) for order in ("little", "big")]
    needed = next((size for size in (SMALLEST, LARGEST) if size in first_number), 0)
    if not start or len(start) < needed:
        raise EOFError("it ends within its header")
    if start[344:347] in (b"n+1", b"ni1"):
        order = "<" if 1 <= int.from_bytes(start[40:42], "little") <= 7 else ">"
        return nib.Nifti1Header(start[:SMALLEST], order, check=False)
    if needed == LARGEST and start[4:7] in (b"n+2", b"ni2"):
        return _fields_of_nifti2(start, "<" if first_number[0] == LARGEST else ">")
    if needed == SMALLEST:
        raise ValueError(
            "it is in the older Analyze format, which does not say where left and right are; convert it to "
            "NIfTI with a program that knows how it was made"
        )
    raise ValueError(f"it is {file_kinds.kind_of(start)}")


def _fields_of_nifti2(start: bytes, order: str) -> Any:
    header = nib.Nifti2Header(start, order, check=False)
    if tuple(header["eol_check"]) not in ((13, 10, 26, 10), (0, 0, 0, 0)):
        raise ValueError(
            "its field eol_check says that a transfer as text has changed its bytes; get it again, as binary"
        )
    return header


def _shape(header: Any, volumes: int) -> tuple[int, int, int]:
    rank = int(header["dim"][0])
    if not 1 <= rank <= 7:
        raise ValueError(f"its field dim[0] is {rank}, not a number of axes from 1 to 7; export it again")
    stated = tuple(map(int, header["dim"][1 : rank + 1]))
    if rank < 3 or sorted(n for n in stated[3:] if n != 1) != [volumes] * (volumes > 1):
        if volumes > 1:
            raise ValueError(
                f"it does not hold {volumes} volumes, one for each of the channels, got shape {stated}; "
                "correct the list of `channels`, or name another file"
            )
        raise ValueError(f"it is no 3-D volume, got shape {stated}; extract one volume first")
    i, j, k = stated[:3]
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
        name = dtype if dtype.kind != "V" or dtype.names else "an unknown type"
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


def _offset(header: Any, is_single_file: bool) -> int:
    offset = float(header["vox_offset"])
    earliest = int(header.single_vox_offset) if is_single_file else 0
    if not offset.is_integer() or offset < earliest:
        raise ValueError(
            f"its field vox_offset is {offset:g}, but its voxels begin at byte {earliest} at the earliest; "
            "export it again"
        )
    if offset > FARTHEST:
        raise ValueError(f"its field vox_offset is {offset:g}, more than any header takes; export it again")
    return int(offset)
