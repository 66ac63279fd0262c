"""Masks in DICOM files, segmentations (DICOM-SEG) or structure sets (RTSTRUCT): their class says which."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from segguided.data.formats import file_kinds
from segguided.data.formats.dicom import attributes, files, segmentation, structures
from segguided.data.formats.segmentation import SegmentMask
from segguided.data.formats.volume import Volume

ENDING = ".dcm"


def read_segments(path: Path, names: Sequence[str | None], reference: Volume) -> Iterator[SegmentMask]:
    """The masks of the named segments or structures on the grid of `reference`; `path` is read once.

    Raises ValueError for a missing or damaged file, a name that it does not hold, and another grid.
    """
    file_kinds.check_is_file(path, "a DICOM segmentation or structure set")
    dataset = files.open_file(path)
    if attributes.text(dataset, "SOPClassUID", path) == structures.STORAGE:
        yield from structures.read_structures(dataset, path, names, reference)
    else:
        yield from segmentation.read_frames(dataset, path, names, reference)


def is_dicom(path: Path) -> bool:
    """Whether a file is read as DICOM: by its ending or its first bytes."""
    if path.name.lower().endswith(ENDING):
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(132).endswith(files.PREFIX)
