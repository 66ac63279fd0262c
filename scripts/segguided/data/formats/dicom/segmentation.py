"""Reads DICOM segmentations (DICOM-SEG): segments with their SegmentLabel, on the grid of their frames.

Frames are placed and unpacked by highdicom (Bridge et al., Journal of Digital Imaging 2022). Axis letters:
i column, j row, k slice.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.uid import UID

from segguided.data.formats import file_kinds
from segguided.data.formats.bounds import refuse_huge
from segguided.data.formats.dicom import attributes, files
from segguided.data.formats.dicom.attributes import RefusedError
from segguided.data.formats.segmentation import Segmentation, as_segmentation

if TYPE_CHECKING:
    from highdicom.seg import Segmentation as Frames

# A frame a slice and segment; a label map a slice.
STORAGES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")


def read_segmentation(path: Path) -> Segmentation:
    """All segments of a DICOM-SEG file; where there is no frame between its frames there is no segment.

    Raises ValueError for a missing or damaged file, another kind of DICOM file, frames that form no evenly
    spaced volume, segments without a label, shares in place of whole voxels, and segments that overlap.
    """
    file_kinds.check_is_file(path, "a DICOM segmentation")
    dataset = files.open_file(path)
    _check_storage(dataset, path)
    try:
        _check_names(dataset, path)
        frames = _frames(dataset)
        names = [_name(frames.get_segment_description(number)) for number in frames.segment_numbers]
        affine = _affine(frames, path)
        return as_segmentation(path, names, _masks(frames, path), affine, "dicom-seg")
    except attributes.UNREADABLE as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise attributes.damaged(path, error) from error


def _check_storage(dataset: pydicom.Dataset, path: Path) -> None:
    storage = UID(attributes.text(dataset, "SOPClassUID", path))
    if not storage:
        raise attributes.damaged(path, ValueError("it names no class of DICOM objects"))
    if storage not in STORAGES:
        raise ValueError(
            f"{path}: expected a DICOM segmentation, got {storage.name}; name the file of the segmentation"
        )


def _frames(dataset: pydicom.Dataset) -> "Frames":
    # Takes half a second, which other formats need not wait for.
    from highdicom.seg import Segmentation as Frames  # noqa: PLC0415

    return Frames.from_dataset(dataset, copy=False)


def _check_names(dataset: pydicom.Dataset, path: Path) -> None:
    segments = dataset.SegmentSequence
    unnamed = [number for number, segment in enumerate(segments, 1) if not _name(segment)]
    if unnamed or not segments:
        raise RefusedError(
            f"{path}: expected a SegmentLabel for each segment, but "
            f"{f'segment {unnamed[0]} has none' if unnamed else 'there is no segment'}; export it again with "
            "its segments' names"
        )


def _name(segment: pydicom.Dataset) -> str:
    return str(segment.get("SegmentLabel", "")).strip()


def _affine(frames: "Frames", path: Path) -> np.ndarray:
    """From (column, row, slice, 1) to LPS mm.

    Slices ascend along the normal, row × column direction, as in SimpleITK; highdicom has them the other way.
    """
    grid = frames.get_volume_geometry(allow_missing_positions=True)
    if grid is None:
        raise RefusedError(
            f"{path}: expected frames that form one evenly spaced volume of upright slices, but their "
            "positions do not; resample the segmentation, or convert it to NIfTI"
        )
    slices, rows, columns = grid.spatial_shape
    refuse_huge(str(path), slices * rows * columns, 1)
    return np.asarray(grid.flip_spatial(0).affine)[:, [2, 1, 0, 3]]


def _masks(frames: "Frames", path: Path) -> Iterator[np.ndarray]:
    """Where each segment is, bool (i, j, k)."""
    for number in frames.segment_numbers:
        voxels_kji = frames.get_volume(segment_numbers=[number]).flip_spatial(0).array[..., 0]
        partly = (voxels_kji > 0) & (voxels_kji < 1)
        if partly.any():
            raise RefusedError(
                f"{path}: expected voxels that are in a segment or not, but {int(partly.sum())} are there in "
                "part (SegmentationType FRACTIONAL); export it as BINARY"
            )
        yield (voxels_kji > 0).transpose(2, 1, 0)
