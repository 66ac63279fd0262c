"""Which DICOM files hold masks (DICOM-SEG, RTSTRUCT), and what their segments or structures are called."""

from collections import Counter
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from segguided.data.formats.dicom import attributes, files, segmentation, structures
from segguided.data.formats.segmentation import comparable

STORAGES = (*segmentation.STORAGES, structures.STORAGE)


def holds_masks(path: Path) -> bool:
    """Whether the file says that it is a segmentation or a structure set; its pixels are not read.

    A damaged file is taken for no mask, so for a slice, which its reader refuses.
    """
    try:
        return str(_storage(path)).strip() in STORAGES
    except attributes.UNREADABLE:
        return False


def _storage(path: Path) -> object:
    """The class of the file's object; of a file that lost its preamble, where its data set begins."""
    try:
        return read_file_meta_info(path).get("MediaStorageSOPClassUID")
    except InvalidDicomError:
        with path.open("rb") as file:
            if not file.read(4).startswith(files.GROUPS):
                return ""
        header = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        return header.get("SOPClassUID")


def segment_names(path: Path) -> tuple[list[str], list[str]]:
    """The names of the segments (SegmentLabel), or of the structures (ROIName) that can be read as masks.

    These have contours, all of them closed; points of reference and isocentres have not. Names that are empty
    or, as names are compared, there twice are left out; the second list has those of masks that are there
    twice, as first written. Raises ValueError for a damaged file, and for a DICOM-SEG with a segment without
    a name, which its reader refuses.
    """
    dataset = files.open_file(path)
    try:
        if attributes.text(dataset, "SOPClassUID", path) == structures.STORAGE:
            names = structures.names_by_number(dataset)
            readable = _closed_structures(dataset, path)
        else:
            segmentation.check_names(dataset, path)
            names = {n: str(segment.SegmentLabel) for n, segment in enumerate(dataset.SegmentSequence)}
            readable = set(names)
    except attributes.UNREADABLE as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise attributes.damaged(path, error) from error
    counts = Counter(map(comparable, names.values()))
    once = {number: name.strip() for number, name in names.items() if counts[comparable(name)] == 1}
    first = {comparable(name): name.strip() for name in reversed(names.values())}
    of_masks = {comparable(names[number]) for number in readable & set(names)}
    repeated = [first[name] for name, count in counts.items() if count > 1 and name and name in of_masks]
    return [name for number, name in once.items() if name and number in readable], repeated


def _closed_structures(dataset: pydicom.Dataset, path: Path) -> set[int]:
    """The numbers of the structures that have contours, all of them closed."""
    kinds = {
        number: {attributes.text(contour, "ContourGeometricType", path) for contour in contours}
        for number, contours in structures.contours_by_number(dataset).items()
    }
    return {number for number, of_roi in kinds.items() if of_roi and of_roi <= set(structures.CLOSED)}
