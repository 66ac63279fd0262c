"""NRRD images, and 3D Slicer segmentations (.seg.nrrd) on the grid of the image they were drawn on."""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
from isal import igzip

from segguided.data import gzipped
from segguided.data.volume import Volume, check_finite, check_same_grid, oriented

Header = Mapping[str, Any]

LPS_SIGNS = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
# pynrrd lets StopIteration escape from an empty file and KeyError from an unknown voxel type.
UNREADABLE = (nrrd.NRRDError, zlib.error, EOFError, ValueError, KeyError, IndexError, StopIteration)
BYTES = ("unsigned char", "uchar", "uint8", "uint8_t")  # names of that type


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

    Raises ValueError for a missing, damaged or not 3-D file, a header without orientation, and NaN voxels.
    """
    array, header = read_file(path)
    affine = _lps_affine(header)
    if affine is None:
        raise ValueError(
            f"{path}: expected 'space' (as left-posterior-superior), 'space directions' and 'space origin' "
            f"in the header, got space={header.get('space')!r}; left and right are unknown: export it again"
        )
    keeps_int = array.dtype.kind == "i" and array.dtype.itemsize <= 2
    provenance = {"format": "nrrd", "file": path.name, "space": str(header["space"])}
    volume = _oriented(
        path, array.astype(np.int16 if keeps_int else np.float32, copy=False), affine, provenance
    )
    check_finite(volume, str(path))
    return volume


def read_segments(path: Path, names: Sequence[str | None], reference: Volume) -> Iterator[SegmentMask]:
    """The masks of the named segments on the grid of `reference`, from one reading of `path`.

    Names are compared without case; None takes every nonzero voxel. The file's geometry must be the
    reference's; a file without one lies in the frame of the reference's DICOM files: array[i, j, k] is column
    i, row j, slice k upwards (Duke masks). Raises ValueError for a missing or damaged file, a name it does
    not hold, and another grid.
    """
    array, header = read_file(path)
    layers_lijk = _layers(path, array, header)
    segments = _segments(path, header, len(layers_lijk))
    affine = _lps_affine(header)
    for name in names:
        labels_ijk, value = _labels(path, layers_lijk, segments, name)
        yield SegmentMask(_on_grid(path, labels_ijk, affine, reference), value)


def read_file(path: Path) -> tuple[np.ndarray, Header]:
    """Voxels as stored, and header. Raises ValueError for a missing or damaged file."""
    if not path.is_file():
        raise ValueError(f"{path}: expected an NRRD file, but there is none; download it or correct the name")
    try:
        array, header = _unzipped(path) or nrrd.read(str(path))
    except UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path}: expected a complete NRRD file, but it is truncated or damaged ({reason}); get it again"
        ) from error
    return array, header


def _unzipped(path: Path) -> tuple[np.ndarray, Header] | None:
    """A mask as 3D Slicer writes it, for which pynrrd takes five times the memory; None for other files.

    Also for damaged ones, and with bytes after the end of the mask: pynrrd tells the one from the other.
    """
    with path.open("rb") as file:
        header = nrrd.read_header(file)
        if _holds_zipped_bytes(header):
            with suppress(*gzipped.DAMAGED), igzip.open(file) as voxels:
                return gzipped.read_array(voxels, header["sizes"], np.dtype(np.uint8)), header
    return None


def _holds_zipped_bytes(header: Header) -> bool:
    moved = {"data file", "datafile", "line skip", "lineskip", "byte skip", "byteskip"} & header.keys()
    return header["encoding"] in ("gzip", "gz") and header["type"] in BYTES and not moved


def _lps_affine(header: Header) -> np.ndarray | None:
    """(i, j, k, 1) to LPS mm, or None where the header does not say."""
    signs = LPS_SIGNS.get(str(header.get("space", "")).lower())
    directions, origin = header.get("space directions"), header.get("space origin")
    if signs is None or directions is None or origin is None:
        return None
    rows = directions[np.isfinite(directions).all(axis=1)]  # the layer axis has no direction: a row of NaN
    if rows.shape != (3, 3) or not np.isfinite(origin).all():
        return None
    affine = np.eye(4)
    affine[:3, :3] = (rows * signs).T
    affine[:3, 3] = origin * np.array(signs)
    return affine


def _oriented(
    path: Path, array_ijk: np.ndarray, affine: np.ndarray, provenance: Header | None = None
) -> Volume:
    try:
        return oriented(array_ijk, affine, provenance)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _layers(path: Path, array: np.ndarray, header: Header) -> np.ndarray:
    """The array with the layer axis first, also where there is one layer only."""
    if array.ndim == 3:
        return array[np.newaxis]
    if array.ndim != 4:
        raise ValueError(
            f"{path}: expected a 3-D or layered 4-D segmentation, got shape {array.shape}; export it again"
        )
    directions = header.get("space directions")
    undirected = np.isnan(directions).all(axis=1) if directions is not None else np.zeros(4, bool)
    return np.moveaxis(array, int(undirected.argmax()), 0)  # the first axis where none is marked


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
        if not (str(layer).isdecimal() and str(value).isdecimal() and int(layer) < layers):
            raise ValueError(
                f"{path}: expected a layer below {layers} and a whole label value for Segment{n}, got layer "
                f"{layer} and value {value}; export it again"
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
    for segment in segments:
        if segment.name.strip().lower() == name.strip().lower():
            return layers_lijk[segment.layer], segment.value
    listed = ", ".join(s.name for s in segments)
    raise ValueError(f"{path}: expected a segment named {name}, but the file has {listed}; correct `segment`")


def _only_segment(path: Path, layers_lijk: np.ndarray, name: str) -> np.ndarray:
    values = np.setdiff1d(np.unique(layers_lijk), [0])
    if len(layers_lijk) > 1 or len(values) > 1:
        raise ValueError(
            f"{path}: expected a segment named {name}, but the file names none and holds the values "
            f"{values.tolist()} in {len(layers_lijk)} layer(s); export it with its segment names"
        )
    return np.asarray(layers_lijk[0])


def _on_grid(path: Path, labels_ijk: np.ndarray, affine: np.ndarray | None, reference: Volume) -> np.ndarray:
    if affine is None or (_is_default(affine) and not _is_default(reference.affine)):
        stored_affine = reference.provenance.get("stored_affine")
        if stored_affine is None:
            raise ValueError(
                f"{path}: expected a header with origin and directions, or an image from DICOM files "
                "whose frame the mask can take; export the mask again with its geometry"
            )
        affine = np.array(stored_affine)
    mask = _oriented(path, labels_ijk, affine)
    check_same_grid(reference, mask, str(path))
    return mask.array_zyx


def _is_default(affine: np.ndarray) -> bool:
    """Whether it is what writers put when they know no geometry: unit steps from the origin, up to signs."""
    return bool(np.allclose(np.abs(affine), np.eye(4)))
