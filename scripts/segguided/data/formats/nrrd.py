"""NRRD images, and 3D Slicer segmentations (.seg.nrrd) on the grid of the image they were drawn on."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segguided.data.formats import nrrd_file
from segguided.data.formats.nrrd_geometry import Geometry, geometry
from segguided.data.formats.volume import Volume, check_finite, check_same_grid, oriented

Header = Mapping[str, Any]


@dataclass(frozen=True)
class SegmentMask:
    """Where a segment is: the voxels of a label map that have its value; where that is None, any but 0."""

    labels_zyx: np.ndarray
    value: int | None

    def plane(self, z: int) -> np.ndarray:
        """Whether each voxel (y, x) of slice z is the segment's."""
        labels_yx = self.labels_zyx[z]
        return np.asarray(labels_yx != 0 if self.value is None else labels_yx == self.value)


@dataclass(frozen=True)
class _Segment:
    name: str
    layer: int
    value: int


def read_image(path: Path) -> Volume:
    """The 3-D image in `path`: int16 where stored as 8 or 16 bit signed integers, else float32.

    Raises ValueError for a missing, damaged, huge or not 3-D file, a header without orientation, and voxels
    that are NaN or infinite.
    """
    array, header = read_file(path)
    with _told(path):
        place = geometry(header)
        if place.lps_mm is None:
            raise ValueError(
                "its header has no 'space', 'space directions' and 'space origin', so left and right are "
                "unknown: export it again with its geometry"
            )
        layers = _layers(array, place)
        if len(layers) > 1:
            raise ValueError(f"it is no 3-D volume, got shape {array.shape}; extract one volume first")
        keeps_int = array.dtype.kind == "i" and array.dtype.itemsize <= 2
        voxels = layers[0].astype(np.int16 if keeps_int else np.float32, copy=False)
        provenance = {"format": "nrrd", "file": path.name, "space": str(header["space"])}
        volume = oriented(voxels, place.lps_mm, provenance)
    check_finite(volume, str(path))
    return volume


def read_segments(path: Path, names: Sequence[str | None], reference: Volume) -> Iterator[SegmentMask]:
    """The masks of the named segments on the grid of `reference`, from one reading of `path`.

    Names are compared without case; None takes every nonzero voxel. The file's geometry must be the
    reference's; a file without one lies in the frame of the reference's DICOM files: array[i, j, k] is column
    i, row j, slice k upwards (Duke masks). Raises ValueError for a missing or damaged file, a name it does
    not hold, and another grid or a geometry that is not understood.
    """
    array, header = read_file(path)
    with _told(path):
        place = geometry(header)
        _check_whole_numbers(array)
    layers_lijk = _layers(array, place)
    segments = _segments(path, header, len(layers_lijk))
    for name in names:
        labels_ijk, value = _labels(path, layers_lijk, segments, name)
        yield SegmentMask(_on_grid(path, labels_ijk, place, reference), value)


def read_file(path: Path) -> tuple[np.ndarray, Header]:
    """Voxels as stored, and header. Raises ValueError for a missing or damaged file."""
    return nrrd_file.read(path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Begin what is raised with the file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _layers(array: np.ndarray, place: Geometry) -> np.ndarray:
    """The array with the axis of layers first, also where there is one layer only."""
    return array[np.newaxis] if place.layers is None else np.moveaxis(array, place.layers, 0)


def _check_whole_numbers(array: np.ndarray) -> None:
    """Labels may be stored as floats; a map of probabilities is none of labels, and NaN is no background."""
    if array.dtype.kind != "f":
        return
    for plane in array.reshape(-1, array.shape[-1], order="F").T:
        with np.errstate(invalid="ignore"):
            bad = ~(plane - np.rint(plane) == 0)  # so that NaN and infinity count as bad
        if bad.any():
            raise ValueError(
                f"expected whole numbers that label segments, got {plane[bad][0]:g}; is this a map of "
                "probabilities, or the image?"
            )


def _segments(path: Path, header: Header, layers: int) -> list[_Segment]:
    """The named segments. Old files name neither value nor layer: there, each has its layer, and value 1."""
    numbers = sorted(int(found[1]) for key in header if (found := re.fullmatch(r"Segment(\d+)_Name", key)))
    if len(numbers) > layers and any(f"Segment{n}_LabelValue" not in header for n in numbers):
        raise ValueError(
            f"{path}: expected SegmentN_LabelValue for each of {len(numbers)} segments; export it again"
        )
    segments = []
    for n in numbers:
        layer, value = (
            header.get(f"Segment{n}_Layer", n if layers > 1 else 0),
            header.get(f"Segment{n}_LabelValue", 1),
        )
        whole = str(layer).isdecimal() and str(value).isdecimal()
        if not whole or int(layer) >= layers or int(value) == 0:
            raise ValueError(
                f"{path}: expected a layer below {layers} and a whole label value above 0 for Segment{n}, "
                f"got layer {layer} and value {value}; export it again"
            )
        segments.append(_Segment(str(header[f"Segment{n}_Name"]), int(layer), int(value)))
    return segments


def _labels(
    path: Path, layers_lijk: np.ndarray, segments: Sequence[_Segment], name: str | None
) -> tuple[np.ndarray, int | None]:
    """The layer of the named segment, and its value there."""
    if name is None:
        return layers_lijk[0] if len(layers_lijk) == 1 else (layers_lijk != 0).any(axis=0), None
    if not segments:
        return _only_segment(path, layers_lijk, name), None
    called = [one for one in segments if _plain(one.name) == _plain(name)]
    if len({(one.layer, one.value) for one in called}) > 1:
        raise ValueError(
            f"{path}: {len(called)} segments are named {name}; rename all but one, or merge them, and "
            "export it again"
        )
    if called:
        return layers_lijk[called[0].layer], called[0].value
    listed = ", ".join(s.name for s in segments)
    raise ValueError(f"{path}: expected a segment named {name}, but the file has {listed}; correct `segment`")


def _plain(name: str) -> str:
    """The name in one Unicode form and without capitals: some programs write ä as a and two dots."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def _only_segment(path: Path, layers_lijk: np.ndarray, name: str) -> np.ndarray:
    values = np.setdiff1d(np.unique(layers_lijk), [0])
    if len(layers_lijk) > 1 or len(values) > 1:
        raise ValueError(
            f"{path}: expected a segment named {name}, but the file names none and holds the values "
            f"{values.tolist()} in {len(layers_lijk)} layer(s); export it with its segment names"
        )
    return np.asarray(layers_lijk[0])


def _on_grid(path: Path, labels_ijk: np.ndarray, place: Geometry, reference: Volume) -> np.ndarray:
    affine = place.lps_mm
    if affine is None or (place.default and not _is_default(reference.affine)):
        stored_affine = reference.provenance.get("stored_affine")
        if stored_affine is None:
            raise ValueError(
                f"{path}: expected a header with origin and directions, or an image from DICOM files "
                "whose frame the mask can take; export the mask again with its geometry"
            )
        affine = np.array(stored_affine)
    with _told(path):
        mask = oriented(labels_ijk, affine)
    check_same_grid(reference, mask, str(path))
    return mask.array_zyx


def _is_default(affine: np.ndarray) -> bool:
    """Whether it is what writers put when they know no geometry: unit steps from the origin, up to signs."""
    return bool(np.allclose(np.abs(affine), np.eye(4)))
