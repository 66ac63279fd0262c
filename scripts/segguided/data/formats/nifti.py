"""Reads NIfTI images and label maps as Volumes. Where the voxels are is in nifti_orientation.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.volumeutils import apply_read_scaling

from segguided.config.classes import LARGEST_LABEL
from segguided.data.formats import file_kinds, nifti_header, packed
from segguided.data.formats.bounds import refuse_huge
from segguided.data.formats.errors import errors_begin_with
from segguided.data.formats.nifti_header import NiftiHeader
from segguided.data.formats.orientation import LPS_FROM_RAS, oriented
from segguided.data.formats.volume import Volume, check_finite

LABEL_TOLERANCE = 0.01  # label maps stored as scaled floats come back as 2.9999998


def read_image(path: Path) -> Volume:
    """The 3-D image in `path`, its scale applied: int16 if stored as such without a scale, else float32.

    `provenance["suspicious_header"]` is true if the header states no real position (identity affine with
    1 mm voxels, or no coordinate code) or contradicts itself: then anatomy must confirm the orientation.
    Raises ValueError if the file is missing, damaged, huge or not 3-D, if its header is not understood, and
    for voxels that are NaN or infinite.
    """
    (volume,) = read_images(path, 1)
    return volume


def read_images(path: Path, volumes: int) -> list[Volume]:
    """The volumes of a 4-D image of so many, one after another, as `read_image` reads one.

    Raises ValueError as `read_image` does, and for another number of volumes.
    """
    with _opened(path, volumes) as (header, stream):
        keeps_int = header.scale == (1, 0) and header.dtype.kind == "i" and header.dtype.itemsize <= 2
        dtype = np.dtype(np.int16 if keeps_int else np.float32)
        refuse_huge(str(path), volumes * header.voxels, dtype.itemsize)
        arrays = [_values(path, header, stream, dtype) for _ in range(volumes)]
    images = [_volume(path, header, array_ijk) for array_ijk in arrays]
    for image in images:
        check_finite(image, str(path))
    return images


def read_labels(path: Path) -> Volume:
    """The 3-D label map in `path` as uint8, or as uint16 or uint32 if its labels need it.

    Raises ValueError as `read_image` does, and for values that are no label.
    """
    with _opened(path) as (header, stream):
        labels_ijk = _labels(path, header, stream)
    return _volume(path, header, labels_ijk)


def check_complete(path: Path) -> None:
    """Raise ValueError unless the .gz file is complete: reads it to its end to compare the checksum."""
    with packed.one_sentence(path, "NIfTI", "a NIfTI file of grey values"):
        packed.check_whole(path)


@contextmanager
def _opened(path: Path, volumes: int = 1) -> Iterator[tuple[NiftiHeader, packed.Stream]]:
    """The header, and a stream at the first voxel; at the end the rest of the file is read and checked."""
    file_kinds.check_is_file(path, "a NIfTI file")
    with packed.one_sentence(path, "NIfTI", "a NIfTI file of grey values"):
        header_path = _header_path(path)
        with packed.unpacked(header_path) as stream:
            start = packed.read_bytes(stream, nifti_header.LARGEST)
            with packed.damage_first(stream):
                header = nifti_header.parse(start, volumes)
        voxel_path = header_path if header.is_single_file else _sibling(path, ".img")
        with packed.unpacked(voxel_path) as stream:
            packed.skip(stream, header.offset)
            with packed.damage_first(stream):
                yield header, stream
            packed.finish(stream)


def _header_path(path: Path) -> Path:
    """The file with the header: the file itself, except for the .img of a pair."""
    is_img = ".img" in path.suffixes[-2:]
    return _sibling(path, ".hdr") if is_img else path


def _sibling(path: Path, suffix: str) -> Path:
    """The file of a pair whose name ends in `suffix`, with or without .gz."""
    is_gz = path.suffix == ".gz"
    plain = path.with_suffix("") if is_gz else path
    if plain.suffix == suffix:
        return path
    endings = (f"{suffix}.gz", suffix) if is_gz else (suffix, f"{suffix}.gz")
    for ending in endings:
        if plain.with_suffix(ending).is_file():
            return plain.with_suffix(ending)
    raise ValueError(
        f"of the pair of .hdr and .img the {suffix} is not beside it; put {plain.with_suffix(suffix).name} "
        "there"
    )


def _values(path: Path, header: NiftiHeader, stream: packed.Stream, dtype: np.dtype) -> np.ndarray:
    """All values, scaled as nibabel does; in parts, so that no second volume of another type is made."""
    refuse_huge(str(path), header.voxels, dtype.itemsize)
    if header.scale == (1, 0) and header.dtype == dtype:
        return packed.read_array(stream, header.shape, dtype)
    values = np.empty(header.voxels, dtype)
    for place, stored in packed.read_parts(stream, header.voxels, header.dtype):
        with np.errstate(over="ignore", invalid="ignore"):  # infinite voxels are refused later
            values[place] = _scaled(stored, header)
    return values.reshape(header.shape, order="F")


def _scaled(stored: np.ndarray, header: NiftiHeader) -> np.ndarray:
    slope, intercept = header.scale
    return np.asarray(apply_read_scaling(stored, np.float64(slope), np.float64(intercept)))


def _labels(path: Path, header: NiftiHeader, stream: packed.Stream) -> np.ndarray:
    """All labels, in the smallest type that holds them."""
    refuse_huge(str(path), header.voxels, 1)
    labels = np.empty(header.voxels, np.uint8)
    for place, stored in packed.read_parts(stream, header.voxels, header.dtype):
        part = _whole_labels(path, header, _scaled(stored, header), place.start)
        needed = np.min_scalar_type(int(part.max()))
        if needed.itemsize > labels.itemsize:
            refuse_huge(str(path), header.voxels, needed.itemsize)
            labels = labels.astype(needed)
        labels[place] = part
    return labels.reshape(header.shape, order="F")


def _whole_labels(path: Path, header: NiftiHeader, values: np.ndarray, first: int) -> np.ndarray:
    """The values as labels; `first` is the place of their first voxel in the file."""
    labels = values if values.dtype.kind in "iu" else np.rint(values)
    # NaN and infinity fail every comparison, so they count as bad.
    with np.errstate(invalid="ignore"):
        good = (labels >= 0) & (labels < LARGEST_LABEL + 1)  # float32 holds this limit, not LARGEST_LABEL
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
    # An affine beyond float64 is refused here, without numpy's warning.
    with errors_begin_with(path), np.errstate(over="ignore", invalid="ignore"):
        return oriented(array_ijk, LPS_FROM_RAS @ header.ras_affine, _provenance(path, header))


def _provenance(path: Path, header: NiftiHeader) -> dict[str, Any]:
    codes = [code or "?" for code in nib.aff2axcodes(header.ras_affine)]
    return {
        "format": "nifti",
        "file": path.name,
        "stored_axes": "".join(codes),
        "suspicious_header": header.is_unsure,
    }
