"""Which DICOM files hold masks (DICOM-SEG, RTSTRUCT), and what their segments or structures are called."""

from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from segguided.data.formats.dicom import attributes, files, segmentation, structures

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


def segment_names(path: Path) -> list[str]:
    """The names of the segments (SegmentLabel), or of the structures (ROIName) that can be read as masks.

    These have contours, all of them closed; points of reference and isocentres have not. Names that are empty
    or there twice are left out. Raises ValueError for a damaged file.
    """
    dataset = files.open_file(path)
    try:
        if attributes.text(dataset, "SOPClassUID", path) == structures.STORAGE:
            names = _closed_structures(dataset)
        else:
            names = [str(segment.get("SegmentLabel", "")) for segment in dataset.SegmentSequence]
    except attributes.UNREADABLE as error:
        raise attributes.damaged(path, error) from error
    return list(dict.fromkeys(filter(None, (name.strip() for name in names))))


def _closed_structures(dataset: pydicom.Dataset) -> list[str]:
    kinds = {
        int(roi.ReferencedROINumber): {str(c.ContourGeometricType) for c in roi.get("ContourSequence") or []}
        for roi in dataset.ROIContourSequence
    }
    closed = [number for number, of_roi in kinds.items() if of_roi and of_roi <= set(structures.CLOSED)]
    return [str(roi.get("ROIName", "")) for roi in dataset.StructureSetROISequence if roi.ROINumber in closed]
