"""NRRD images, and 3D Slicer segmentations (.seg.nrrd) on the grid of the image that they segment."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segguided.data.formats import nrrd_file
from segguided.data.formats.errors import errors_begin_with
from segguided.data.formats.nrrd_header import NrrdHeader
from segguided.data.formats.nrrd_orientation import Orientation, read_orientation
from segguided.data.formats.orientation import oriented
from segguided.data.formats.segmentation import Segmentation, SegmentMask, as_segmentation, comparable
from segguided.data.formats.volume import Volume, check_finite, check_same_grid


@dataclass(frozen=True)
class _Segment:
    name: str
    layer: int
    value: int


def read_image(path: Path) -> Volume:
    """The 3-D image in `path`: int16 if stored as 8 or 16 bit signed integers, else float32.

    Raises ValueError if the file is missing, damaged, huge or not 3-D, if its header has no orientation, and
    for voxels that are NaN or infinite.
    """
    array, header = nrrd_file.read(path)
    with errors_begin_with(path):
        orientation = read_orientation(header)
        if orientation.lps_affine is None:
            raise ValueError(
                "its header has no 'space', 'space directions' and 'space origin', so left and right are "
                "unknown: export it again with its geometry"
            )
        layers = _layers(array, orientation)
        if len(layers) > 1:
            raise ValueError(f"it is no 3-D volume, got shape {array.shape}; extract one volume first")
        keeps_int = array.dtype.kind == "i" and array.dtype.itemsize <= 2
        voxels = layers[0].astype(np.int16 if keeps_int else np.float32, copy=False)
        provenance = {"format": "nrrd", "file": path.name, "space": str(header["space"])}
        volume = oriented(voxels, orientation.lps_affine, provenance)
    check_finite(volume, str(path))
    return volume


def read_segments(path: Path, names: Sequence[str | None], reference: Volume) -> Iterator[SegmentMask]:
    """The masks of the named segments on the grid of `reference`; `path` is read once.

    Names are compared without case; None stands for every nonzero voxel. The file's geometry must be the
    reference's. A file without geometry is in the frame of the reference's DICOM files: array[i, j, k] is
    column i, row j, slice k upwards (Duke masks). Raises ValueError for a missing or damaged file, a name
    that it does not hold, another grid, and a geometry that is not understood.
    """
    array, header = nrrd_file.read(path)
    with errors_begin_with(path):
        orientation = read_orientation(header)
        _check_whole_numbers(array)
    layers_lijk = _layers(array, orientation)
    segments = _segments(path, header, len(layers_lijk))
    for name in names:
        labels_ijk, value = _labels(path, layers_lijk, segments, name)
        yield SegmentMask(_on_grid(path, labels_ijk, orientation, reference), value)


def read_segmentation(path: Path) -> Segmentation:
    """All segments of a .seg.nrrd file, on its own grid.

    Raises ValueError for a missing or damaged file, one without names or geometry, values that belong to no
    segment, and segments that overlap.
    """
    array, header = nrrd_file.read(path)
    with errors_begin_with(path):
        orientation = read_orientation(header)
        _check_whole_numbers(array)
        if orientation.lps_affine is None:
            raise ValueError(
                "its header has no 'space', 'space directions' and 'space origin', so left and right are "
                "unknown: export it again with its geometry"
            )
    layers_lijk = _layers(array, orientation)
    segments = _segments(path, header, len(layers_lijk))
    _check_all_named(path, layers_lijk, segments)
    masks = (layers_lijk[segment.layer] == segment.value for segment in segments)
    names = [segment.name for segment in segments]
    return as_segmentation(path, names, masks, orientation.lps_affine, "seg.nrrd")


def _check_all_named(path: Path, layers_lijk: np.ndarray, segments: Sequence[_Segment]) -> None:
    if not segments:
        raise ValueError(
            f"{path}: expected named segments, as in a .seg.nrrd of 3D Slicer, but its header names none; "
            "export it as a segmentation, or convert it to a NIfTI label map"
        )
    for layer, labels_ijk in enumerate(layers_lijk):
        named = [segment.value for segment in segments if segment.layer == layer]
        unnamed = np.setdiff1d(np.unique(labels_ijk), [0, *named])
        if len(unnamed):
            raise ValueError(
                f"{path}: voxels have the value {unnamed[0]:g}, which belongs to none of its segments "
                f"{', '.join(segment.name for segment in segments)}; export it again"
            )


def _layers(array: np.ndarray, orientation: Orientation) -> np.ndarray:
    """The array with the axis of layers first, also if there is only one layer."""
    axis = orientation.layer_axis
    return array[np.newaxis] if axis is None else np.moveaxis(array, axis, 0)


def _check_whole_numbers(array: np.ndarray) -> None:
    """Labels may be stored as floats; but a map of probabilities is not labels, and NaN is not background."""
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


def _segments(path: Path, header: NrrdHeader, layers: int) -> list[_Segment]:
    """The named segments. In old files, without value and layer, each has its own layer and the value 1."""
    matches = [re.fullmatch(r"Segment(\d+)_Name", key) for key in header]
    numbers = sorted(int(match[1]) for match in matches if match)
    if len(numbers) > layers and any(f"Segment{n}_LabelValue" not in header for n in numbers):
        raise ValueError(
            f"{path}: expected SegmentN_LabelValue for each of {len(numbers)} segments; export it again"
        )
    return [_segment(path, header, layers, n) for n in numbers]


def _segment(path: Path, header: NrrdHeader, layers: int, n: int) -> _Segment:
    layer = header.get(f"Segment{n}_Layer", n if layers > 1 else 0)
    value = header.get(f"Segment{n}_LabelValue", 1)
    are_whole = str(layer).isdecimal() and str(value).isdecimal()
    if not are_whole or int(layer) >= layers or int(value) == 0:
        raise ValueError(
            f"{path}: expected a layer below {layers} and a whole label value above 0 for Segment{n}, "
            f"got layer {layer} and value {value}; export it again"
        )
    return _Segment(str(header[f"Segment{n}_Name"]), int(layer), int(value))


def _labels(
    path: Path, layers_lijk: np.ndarray, segments: Sequence[_Segment], name: str | None
) -> tuple[np.ndarray, int | None]:
    """The layer of the named segment, and its value there."""
    if name is None:
        return layers_lijk[0] if len(layers_lijk) == 1 else (layers_lijk != 0).any(axis=0), None
    if not segments:
        return _only_segment(path, layers_lijk, name), None
    wanted = comparable(name)
    matching = [segment for segment in segments if comparable(segment.name) == wanted]
    if len({(segment.layer, segment.value) for segment in matching}) > 1:
        raise ValueError(
            f"{path}: {len(matching)} segments are named {name}; rename all but one, or merge them, and "
            "export it again"
        )
    if matching:
        return layers_lijk[matching[0].layer], matching[0].value
    listed = ", ".join(segment.name for segment in segments)
    raise ValueError(f"{path}: expected a segment named {name}, but the file has {listed}; correct `segment`")


def _only_segment(path: Path, layers_lijk: np.ndarray, name: str) -> np.ndarray:
    values = np.setdiff1d(np.unique(layers_lijk), [0])
    if len(layers_lijk) > 1 or len(values) > 1:
        raise ValueError(
            f"{path}: expected a segment named {name}, but the file names none and holds the values "
            f"{values.tolist()} in {len(layers_lijk)} layer(s); export it with its segment names"
        )
    return np.asarray(layers_lijk[0])


def _on_grid(path: Path, labels_ijk: np.ndarray, orientation: Orientation, reference: Volume) -> np.ndarray:
    """The labels (z, y, x) on the grid of `reference`."""
    affine = orientation.lps_affine
    if affine is None or (orientation.is_default and not _is_default(reference.affine)):
        stored_affine = reference.provenance.get("stored_affine")
        if stored_affine is None:
            raise ValueError(
                f"{path}: expected a header with origin and directions, or an image from DICOM files "
                "whose frame the mask can take; export the mask again with its geometry"
            )
        affine = np.array(stored_affine)
    with errors_begin_with(path):
        mask = oriented(labels_ijk, affine)
    check_same_grid(reference, mask, str(path))
    return mask.array_zyx


def _is_default(affine: np.ndarray) -> bool:
    """Whether it is what writers put if they know no geometry: unit steps from the origin, up to signs."""
    return bool(np.allclose(np.abs(affine), np.eye(4)))
