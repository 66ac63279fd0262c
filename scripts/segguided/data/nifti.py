"""NIfTI images and label maps to Volumes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from isal import igzip
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling
from nibabel.wrapstruct import WrapStructError

from segguided.data import gzipped
from segguided.data.volume import LPS_FROM_RAS, Volume, check_finite, oriented

UNREADABLE = (ImageFileError, HeaderDataError, WrapStructError, ValueError, OverflowError, *gzipped.DAMAGED)
NIFTI2 = (540, int.from_bytes((540).to_bytes(4, "little"), "big"))  # length of its header, either endianness
LABEL_TOLERANCE = 0.01  # label maps stored as scaled floats come back as 2.9999998


@dataclass(frozen=True)
class _Stored:
    """Voxels as the file holds them, before their scale."""

    array_ijk: np.ndarray
    scale: tuple[float, float]  # slope, intercept
    header: nib.Nifti1Header

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.array_ijk.dtype.kind in "iu" and self.scale == (1, 0)

    def plane(self, k: int) -> np.ndarray:
        """Values (i, j) of one slice, scaled as nibabel does."""
        return np.asarray(apply_read_scaling(self.array_ijk[:, :, k], *map(np.float64, self.scale)))

    def values(self, dtype: type[np.generic]) -> np.ndarray:
        """All values; converted a slice at a time, so that no second volume of another type arises."""
        if self.scale == (1, 0) and self.array_ijk.dtype == dtype:
            return self.array_ijk
        values = np.empty(self.array_ijk.shape, dtype, order="F")
        for k in range(self.array_ijk.shape[2]):
            values[:, :, k] = self.plane(k)
        return values


def read_image(path: Path) -> Volume:
    """The 3-D image in `path`, its scale applied: int16 where stored as such without a scale, else float32.

    `provenance["suspicious_header"]` is true where the header states no real position (identity affine with
    1 mm voxels, or no coordinate code): then anatomy must confirm the orientation. Raises ValueError for a
    missing, damaged or not 3-D file, a singular affine, and NaN or infinite voxels.
    """
    stored = _load(path)
    dtype = stored.array_ijk.dtype
    keeps_int = stored.whole and dtype.kind == "i" and dtype.itemsize <= 2
    volume = _volume(path, stored, stored.values(np.int16 if keeps_int else np.float32))
    check_finite(volume, str(path))
    return volume


def read_labels(path: Path) -> Volume:
    """The 3-D label map in `path` as uint8; raises as `read_image`, and for values that are no label."""
    stored = _load(path)
    array_ijk = stored.array_ijk
    if stored.whole and array_ijk.min() >= 0 and array_ijk.max() <= 255:
        return _volume(path, stored, stored.values(np.uint8))
    labels = np.empty(array_ijk.shape, np.uint8, order="F")
    for k in range(array_ijk.shape[2]):
        labels[:, :, k] = _rounded(path, stored.plane(k).astype(np.float32), k)
    return _volume(path, stored, labels)


def check_complete(path: Path) -> None:
    """Raise ValueError unless the .gz file is whole: reading to its end compares the checksum."""
    try:
        gzipped.check_whole(path)
    except UNREADABLE as error:
        raise _damaged(path, error) from error


def _load(path: Path) -> _Stored:
    if not path.is_file():
        raise ValueError(f"{path}: expected a NIfTI file, but there is none; download it or correct the name")
    try:
        stored = _unzipped(path) if path.name.endswith(".nii.gz") else _mapped(path)
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    if stored is None or stored.array_ijk.dtype.kind not in "iuf":
        got = "another format" if stored is None else stored.array_ijk.dtype
        raise ValueError(f"{path}: expected a NIfTI file of grey values, got {got}; convert it")
    shape = stored.array_ijk.shape
    if len(shape) < 3 or any(n != 1 for n in shape[3:]):
        raise ValueError(f"{path}: expected a 3-D volume, got shape {shape}; extract one volume first")
    volume_ijk = stored.array_ijk.reshape(shape[:3], order="F")  # trailing axes of length 1 go
    return _Stored(volume_ijk, stored.scale, stored.header)


def _mapped(path: Path) -> _Stored | None:
    image: Any = nib.load(path)
    if not isinstance(image, nib.Nifti1Pair):
        return None
    proxy = image.dataobj
    return _Stored(np.asarray(proxy.get_unscaled()), (proxy.slope, proxy.inter), image.header)


def _unzipped(path: Path) -> _Stored:
    """Header and voxels; nibabel itself would read twice the memory and stop before the checksum."""
    with igzip.open(path) as file:
        version = nib.Nifti2Header if int.from_bytes(file.read(4), "little") in NIFTI2 else nib.Nifti1Header
        file.seek(0)
        header = version.from_fileobj(file)
        file.seek(header.get_data_offset())
        array = gzipped.read_array(file, header.get_data_shape(), header.get_data_dtype())
    slope, inter = header.get_slope_inter()
    return _Stored(array, (1.0 if slope is None else slope, inter or 0.0), header)


def _damaged(path: Path, error: Exception) -> ValueError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ValueError(
        f"{path}: expected a complete NIfTI file, but it is truncated or damaged ({reason}); get it again"
    )


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


def _volume(path: Path, stored: _Stored, array_ijk: np.ndarray) -> Volume:
    affine = stored.header.get_best_affine()
    try:
        return oriented(array_ijk, LPS_FROM_RAS @ affine, _provenance(path, stored.header, affine))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _provenance(path: Path, header: nib.Nifti1Header, affine: np.ndarray) -> dict[str, Any]:
    coded = bool(header["sform_code"] or header["qform_code"])
    placeless = np.allclose(np.abs(affine), np.eye(4))  # signs aside: axes may have been flipped since
    codes = [code or "?" for code in nib.aff2axcodes(affine)]
    return {
        "format": "nifti",
        "file": path.name,
        "stored_axes": "".join(codes),
        "suspicious_header": not coded or bool(placeless),
    }
