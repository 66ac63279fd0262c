"""NIfTI images and label maps to Volumes."""

import gzip
import io
import math
import shutil
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from segguided.data.volume import LPS_FROM_RAS, Volume, check_finite, oriented

UNREADABLE = (
    *(ImageFileError, HeaderDataError, WrapStructError),
    *(EOFError, OSError, ValueError, OverflowError, zlib.error),
)
NIFTI2 = (540, int.from_bytes((540).to_bytes(4, "little"), "big"))  # length of its header, either endianness
CHUNK = 1 << 20  # bytes unzipped at a time
LABEL_TOLERANCE = 0.01  # label maps stored as scaled floats come back as 2.9999998


def read_image(path: Path) -> Volume:
    """The 3-D image in `path`, its scale applied: int16 where stored as such without a scale, else float32.

    `provenance["suspicious_header"]` is true where the header states no real position (identity affine with
    1 mm voxels, or no coordinate code): then anatomy must confirm the orientation. Raises ValueError for a
    missing, damaged or not 3-D file, a singular affine, and NaN or infinite voxels.
    """
    image = _load(path)
    array = _stored(path, image)
    if _is_scaled(image):
        array = _scaled(array, image)
    else:
        keeps_int = array.dtype.kind == "i" and array.dtype.itemsize <= 2
        array = array.astype(np.int16 if keeps_int else np.float32, copy=False)
    volume = _volume(path, image, array)
    check_finite(volume, str(path))
    return volume


def read_labels(path: Path) -> Volume:
    """The 3-D label map in `path` as uint8; raises as `read_image`, and for values that are no label."""
    image = _load(path)
    stored, scaled = _stored(path, image), _is_scaled(image)
    if not scaled and stored.dtype.kind in "iu" and stored.min() >= 0 and stored.max() <= 255:
        return _volume(path, image, stored.astype(np.uint8, copy=False))
    labels = np.empty(stored.shape, np.uint8, order="F")
    for k in range(stored.shape[2]):  # by slice, so that no volume of floats arises
        stored_ij = stored[:, :, k]
        labels[:, :, k] = _rounded(path, _scaled(stored_ij, image) if scaled else stored_ij, k)
    return _volume(path, image, labels)


def _load(path: Path) -> nib.Nifti1Pair:
    if not path.is_file():
        raise ValueError(f"{path}: expected a NIfTI file, but there is none; download it or correct the name")
    try:
        image: Any = _unzipped(path) if path.name.endswith(".nii.gz") else nib.load(path)
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    if not isinstance(image, nib.Nifti1Pair) or image.get_data_dtype().kind not in "iuf":
        raise ValueError(
            f"{path}: expected a NIfTI file of grey values, got {type(image).__name__}; convert it"
        )
    if len(image.shape) < 3 or any(n != 1 for n in image.shape[3:]):
        raise ValueError(f"{path}: expected a 3-D volume, got shape {image.shape}; extract one volume first")
    return image


def check_complete(path: Path) -> None:
    """Raise ValueError unless the .gz file is whole: reading to its end compares the checksum."""
    try:
        with gzip.open(path) as file:
            while file.read(CHUNK):
                pass
    except UNREADABLE as error:
        raise _damaged(path, error) from error


def _unzipped(path: Path) -> nib.Nifti1Pair:
    """Unzipped to the end and once, as that compares the checksum: nibabel stops before it."""
    data = io.BytesIO()
    with gzip.open(path) as file:
        shutil.copyfileobj(file, data, CHUNK)
    version = nib.Nifti2Image if int.from_bytes(data.getbuffer()[:4], "little") in NIFTI2 else nib.Nifti1Image
    data.seek(0)
    return version.from_stream(data)


def _damaged(path: Path, error: Exception) -> ValueError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ValueError(
        f"{path}: expected a complete NIfTI file, but it is truncated or damaged ({reason}); get it again"
    )


def _stored(path: Path, image: nib.Nifti1Pair) -> np.ndarray:
    """The voxels as the file has them; what was unzipped is not copied."""
    proxy = image.dataobj
    try:
        if isinstance(proxy.file_like, io.BytesIO):
            count, data = math.prod(proxy.shape), proxy.file_like.getbuffer()
            array = np.frombuffer(data, proxy.dtype, count, proxy.offset).reshape(proxy.shape, order="F")
        else:
            array = np.asarray(proxy.get_unscaled())
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    return array.reshape(array.shape[:3], order="F")  # trailing axes of length 1 go


def _is_scaled(image: nib.Nifti1Pair) -> bool:
    return bool((image.dataobj.slope, image.dataobj.inter) != (1, 0))


def _scaled(stored: np.ndarray, image: nib.Nifti1Pair) -> np.ndarray:
    """slope · stored + inter, as float32, in no more memory than the result takes."""
    array = stored.astype(np.float32, order="K")
    array *= np.float32(image.dataobj.slope)
    array += np.float32(image.dataobj.inter)
    return array


def _rounded(path: Path, stored_ij: np.ndarray, k: int) -> np.ndarray:
    labels = np.rint(stored_ij)
    # Written so that NaN and infinity, which fail the comparison, count as bad.
    with np.errstate(invalid="ignore"):
        near = np.abs(stored_ij - labels) <= LABEL_TOLERANCE
    good = near & (labels >= 0) & (labels <= 255)
    if not good.all():
        i, j = np.argwhere(~good)[0]
        raise ValueError(
            f"{path}: expected whole-number labels from 0 to 255, got {stored_ij[i, j]:g} at voxel "
            f"({i}, {j}, {k}); is this the image, or a map of probabilities, instead of the label map?"
        )
    return np.asarray(labels, dtype=np.uint8)


def _volume(path: Path, image: nib.Nifti1Pair, array_ijk: np.ndarray) -> Volume:
    try:
        return oriented(array_ijk, LPS_FROM_RAS @ image.affine, _provenance(path, image))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _provenance(path: Path, image: nib.Nifti1Pair) -> dict[str, Any]:
    coded = bool(image.header["sform_code"] or image.header["qform_code"])
    placeless = np.allclose(np.abs(image.affine), np.eye(4))  # signs aside: axes may have been flipped since
    codes = [code or "?" for code in nib.aff2axcodes(image.affine)]
    return {
        "format": "nifti",
        "file": path.name,
        "stored_axes": "".join(codes),
        "suspicious_header": not coded or bool(placeless),
    }
