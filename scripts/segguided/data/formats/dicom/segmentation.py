"""Reads DICOM segmentations (DICOM-SEG): segments with their SegmentLabel, on the grid of their frames.

Frames are placed and unpacked by highdicom (Bridge et al., Journal of Digital Imaging 2022). Axis letters:
i column, j row, k slice.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.uid import UID

from segguided.data.formats import file_kinds
from segguided.data.formats.bounds import refuse_huge
from segguided.data.formats.dicom import attributes, files
from segguided.data.formats.dicom.attributes import RefusedError
from segguided.data.formats.orientation import oriented
from segguided.data.formats.segmentation import (
    Segmentation,
    SegmentMask,
    as_segmentation,
    numbers_of,
    on_whole_grid,
)
from segguided.data.formats.volume import Volume

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
    with _one_sentence(path):
        frames = _frames(dataset, path)
        names = [_name(frames.get_segment_description(number)) for number in frames.segment_numbers]
        masks = (_mask(frames, number, path) for number in frames.segment_numbers)
        return as_segmentation(path, names, masks, _affine(frames, path), "dicom-seg")


def read_frames(
    dataset: pydicom.Dataset, path: Path, names: Sequence[str | None], reference: Volume
) -> Iterator[SegmentMask]:
    """The masks of the named segments of an open DICOM-SEG file on the grid of `reference`.

    Names are compared without case; None stands for all segments. Segments may overlap. Raises ValueError as
    `read_segmentation` does, for a name that the file does not hold, and for another grid.
    """
    with _one_sentence(path):
        frames = _frames(dataset, path)
        affine = _affine(frames, path)
        labels = {number: _name(frames.get_segment_description(number)) for number in frames.segment_numbers}
        for name in names:
            mask_ijk = np.zeros((), bool)
            for number in numbers_of(path, name, labels):
                mask_ijk = mask_ijk | _mask(frames, number, path)
            part = oriented(mask_ijk, affine)
            yield SegmentMask(on_whole_grid(path, part, reference), None)


@contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    """What pydicom and highdicom raise for damaged files becomes one sentence that begins with `path`."""
    try:
        yield
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


def _frames(dataset: pydicom.Dataset, path: Path) -> "Frames":
    _check_storage(dataset, path)
    check_names(dataset, path)
    # Takes half a second, which other formats need not wait for.
    from highdicom.seg import Segmentation as Frames  # noqa: PLC0415

    return Frames.from_dataset(dataset, copy=False)


def check_names(dataset: pydicom.Dataset, path: Path) -> None:
    """Raise RefusedError where a segment has no name (SegmentLabel), or there is no segment."""
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


def _mask(frames: "Frames", number: int, path: Path) -> np.ndarray:
    """Where a segment is, bool (i, j, k)."""
    voxels_kji = frames.get_volume(segment_numbers=[number]).flip_spatial(0).array[..., 0]
    partly = (voxels_kji > 0) & (voxels_kji < 1)
    if partly.any():
        raise RefusedError(
            f"{path}: expected voxels that are in a segment or not, but {int(partly.sum())} are there in "
            "part (SegmentationType FRACTIONAL); export it as BINARY"
        )
    return np.asarray((voxels_kji > 0).transpose(2, 1, 0))
