"""DICOM structure sets (RTSTRUCT) of contours in mm, written by pydicom."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ImplicitVRLittleEndian, generate_uid

STRUCTURE_SET = UID("1.2.840.10008.5.1.4.1.1.481.3")


def write_rtstruct(
    path: Path,
    structures: Mapping[str, Sequence[np.ndarray]],
    change: Callable[[Dataset], None] = lambda dataset: None,
) -> Path:
    """Contours (N, 3) in LPS mm by the structure's name."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = STRUCTURE_SET
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = STRUCTURE_SET
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.SeriesInstanceUID = "1.2.3.9"
    dataset.Modality = "RTSTRUCT"
    numbered = dict(enumerate(structures, 11))  # numbers need not begin with 1
    dataset.StructureSetROISequence = DicomSequence([_roi(n, name) for n, name in numbered.items()])
    dataset.ROIContourSequence = DicomSequence(
        [_contours(n, structures[name]) for n, name in reversed(numbered.items())]
    )
    change(dataset)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _roi(number: int, name: str) -> Dataset:
    roi = Dataset()
    roi.ROINumber = number
    roi.ROIName = name
    return roi


def _contours(number: int, contours: Sequence[np.ndarray]) -> Dataset:
    roi = Dataset()
    roi.ReferencedROINumber = number
    if len(contours):
        roi.ContourSequence = DicomSequence([_contour(points_N3) for points_N3 in contours])
    return roi


def _contour(points_N3: np.ndarray) -> Dataset:
    contour = Dataset()
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(points_N3)
    contour.ContourData = [f"{value:.8f}"[:16] for value in np.ravel(points_N3)]
    return contour
