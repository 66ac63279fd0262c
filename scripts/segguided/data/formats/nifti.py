"""NIfTI images and label maps to Volumes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.volumeutils import apply_read_scaling

from segguided.config.classes import LARGEST_LABEL
from segguided.data.formats import forms, gzipped, nifti_header
from segguided.data.formats.bounds import refuse_huge
from segguided.data.formats.nifti_header import NiftiHeader
from segguided.data.formats.volume import LPS_FROM_RAS, Volume, check_finite, oriented

LABEL_TOLERANCE = 0.01  # label maps stored as scaled floats come back as 2.9999998


def read_image(path: Path) -> Volume:
    """The 3-D image in `path`, its scale applied: int16 where stored as such without a scale, else float32.

    `provenance["suspicious_header"]` is true where the header states no real position (identity affine with
    1 mm voxels, or no coordinate code) or contradicts itself: then anatomy must confirm the orientation.
    Raises ValueError for a missing, damaged, huge or not 3-D file, a header not understood, and voxels
    that are NaN or infinite.
    """
    with _opened(path) as (header, stream):
        keeps_int = header.scale == (1, 0) and header.dtype.kind == "i" and header.dtype.itemsize <= 2
        array_ijk = _values(path, header, stream, np.dtype(np.int16 if keeps_int else np.float32))
    volume = _volume(path, header, array_ijk)
    check_finite(volume, str(path))
    return volume


def read_labels(path: Path) -> Volume:
    """The 3-D label map in `path` as uint8, or as uint16 or uint32 where its labels need it.

    Raises as `read_image`, and for values that are no label.
    """
    with _opened(path) as (header, stream):
        labels_ijk = _labels(path, header, stream)
    return _volume(path, header, labels_ijk)


def check_complete(path: Path) -> None:
    """Raise ValueError unless the .gz file is whole: reading to its end compares the checksum."""
    with gzipped.one_sentence(path, "NIfTI", "a NIfTI file of grey values"):
        gzipped.check_whole(path)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[NiftiHeader, gzipped.Stream]]:
    """Header and voxels; what is read is checked to be whole at the end."""
    forms.check_is_file(path, "a NIfTI file")
    with gzipped.one_sentence(path, "NIfTI", "a NIfTI file of grey values"):
        header_path = _header_of(path)
        with gzipped.unpacked(header_path) as stream:
            start = gzipped.read_bytes(stream, nifti_header.LARGEST)
            with gzipped.damage_first(stream):
                header = nifti_header.parse(start)
        with gzipped.unpacked(header_path if header.single else _sibling(path, ".img")) as stream:
            gzipped.skip(stream, header.offset)
            with gzipped.damage_first(stream):
                yield header, stream
            gzipped.finish(stream)


def _header_of(path: Path) -> Path:
    """Where the header lies: in the file itself, but for the .img of a pair."""
    is_img = ".img" in path.suffixes[-2:]
    return _sibling(path, ".hdr") if is_img else path


def _sibling(path: Path, suffix: str) -> Path:
    """The part of a pair that ends so, .gz or not."""
    packed = ".gz" if path.suffix == ".gz" else ""
    plain = path.with_suffix("") if packed else path
    if plain.suffix == suffix:
        return path
    for found in (plain.with_suffix(suffix + packed), plain.with_suffix(suffix + ("" if packed else ".gz"))):
        if found.is_file():
            return found
    raise ValueError(
        f"of the pair of .hdr and .img the {suffix} is not beside it; put {plain.with_suffix(suffix).name} "
        "there"
    )


def _values(path: Path, header: NiftiHeader, stream: gzipped.Stream, dtype: np.dtype) -> np.ndarray:
    """All values, scaled as nibabel does; a part at a time, so that no second volume of another type "
    "arises."""
    refuse_huge(str(path), header.voxels, dtype.itemsize)
    if header.scale == (1, 0) and header.dtype == dtype:
        return gzipped.read_array(stream, header.shape, dtype)
    values = np.empty(header.voxels, dtype)
    for place, stored in gzipped.read_parts(stream, header.voxels, header.dtype):
        with np.errstate(over="ignore", invalid="ignore"):  # infinite voxels are told of later
            values[place] = _scaled(stored, header)
    return values.reshape(header.shape, order="F")


def _scaled(stored: np.ndarray, header: NiftiHeader) -> np.ndarray:
    return np.asarray(apply_read_scaling(stored, *map(np.float64, header.scale)))


def _labels(path: Path, header: NiftiHeader, stream: gzipped.Stream) -> np.ndarray:
    """All labels, in the smallest type that holds them."""
    refuse_huge(str(path), header.voxels, 1)
    labels = np.empty(header.voxels, np.uint8)
    for place, stored in gzipped.read_parts(stream, header.voxels, header.dtype):
        part = _whole(path, header, _scaled(stored, header), place.start)
        needed = np.min_scalar_type(int(part.max()))
        if needed.itemsize > labels.itemsize:
            refuse_huge(str(path), header.voxels, needed.itemsize)
            labels = labels.astype(needed)
        labels[place] = part
    return labels.reshape(header.shape, order="F")


def _whole(path: Path, header: NiftiHeader, values: np.ndarray, first: int) -> np.ndarray:
    """The values as labels, `first` being the place of their first voxel in the file."""
    labels = values if values.dtype.kind in "iu" else np.rint(values)
    # Written so that NaN and infinity, which fail the comparison, count as bad.
    with np.errstate(invalid="ignore"):
        good = (labels >= 0) & (labels < LARGEST_LABEL + 1)  # which, unlike it, is a float32
        if labels is not values:
            good &= np.abs(values - labels) <= LABEL_TOLERANCE
    if not good.all():
        bad = int(good.argmin())
        i, j, k = (int(n) for n in np.unravel_index(first + bad, header.shape, order="F"))
        raise ValueError(
            f"{path}: expected whole-number labels from 0 to {LARGEST_LABEL}, got {values[bad]:g} at voxel "
            f"({i}, {j}, {k}); is this the image, or a map of probabilities, instead of the label map?"
        )
    return labels


def _volume(path: Path, header: NiftiHeader, array_ijk: np.ndarray) -> Volume:
    try:
        return oriented(array_ijk, LPS_FROM_RAS @ header.ras_mm, _provenance(path, header))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _provenance(path: Path, header: NiftiHeader) -> dict[str, Any]:
    codes = [code or "?" for code in nib.aff2axcodes(header.ras_mm)]
    return {
        "format": "nifti",
        "file": path.name,
        "stored_axes": "".join(codes),
        "suspicious_header": header.unsure,
    }
