"""DICOM segmentations and .seg.nrrd files of one label map, written by pydicom and pynrrd alone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from support import volume_files as vf

SEGMENTATION = UID("1.2.840.10008.5.1.4.1.1.66.4")
LABEL_MAP = UID("1.2.840.10008.5.1.4.1.1.66.7")
CODE = ("85756007", "SCT", "Tissue")


def write_seg_nrrd(path: Path, names: Sequence[str], labels: vf.Stored) -> Path:
    """The k-th name has the label k, from 1."""
    segments = [(name, value, 0) for value, name in enumerate(names, 1)]
    return vf.write_nrrd(path, labels, **vf.segment_fields(*segments))


def write_layered(path: Path, masks: Mapping[str, np.ndarray], affine: np.ndarray) -> Path:
    """A .seg.nrrd with a layer a segment, so that segments may overlap."""
    layers = np.stack([mask.astype(np.uint8) for mask in masks.values()])
    segments = [(name, 1, layer) for layer, name in enumerate(masks)]
    return vf.write_nrrd(path, vf.Stored(layers, affine), **vf.segment_fields(*segments))


def write_dicom_seg(
    path: Path,
    masks: Mapping[str, np.ndarray],
    affine: np.ndarray,
    kind: str = "BINARY",
    change: Callable[[Dataset], None] = lambda dataset: None,
) -> Path:
    """Masks (i, j, k) by name; `affine` maps (column i, row j, slice k, 1) to LPS mm.

    BINARY and FRACTIONAL have a frame for each slice in which a segment is, the last segment first and slices
    in no order; LABELMAP has a frame for each slice that holds a segment.
    """
    frames = _label_frames(masks) if kind == "LABELMAP" else _mask_frames(masks)
    dataset = _dataset(LABEL_MAP if kind == "LABELMAP" else SEGMENTATION, kind)
    rows, columns = frames[0][2].shape
    dataset.Rows, dataset.Columns = rows, columns
    dataset.NumberOfFrames = len(frames)
    dataset.SegmentSequence = DicomSequence([_segment(number, name) for number, name in enumerate(masks, 1)])
    dataset.SharedFunctionalGroupsSequence = DicomSequence([_shared(affine)])
    dataset.DimensionOrganizationSequence = DicomSequence([Dataset()])
    dataset.DimensionOrganizationSequence[0].DimensionOrganizationUID = "1.2.3.4"
    pointers = [(0x00200032, 0x00209113)]  # the position, of a group of its own
    if kind != "LABELMAP":
        pointers.insert(0, (0x0062000B, 0x0062000A))  # the segment
    dataset.DimensionIndexSequence = DicomSequence([_dimension(*pointer) for pointer in pointers])
    dataset.PerFrameFunctionalGroupsSequence = DicomSequence(
        [_frame(affine, number, k) for number, k, _ in frames]
    )
    pixels = np.stack([frame_ji for *_, frame_ji in frames])
    if kind == "BINARY":
        dataset.PixelData = pack_bits((pixels > 0).astype(np.uint8))
    else:
        dataset.PixelData = pixels.astype(np.uint8).tobytes()
    dataset["PixelData"].VR = "OB"
    change(dataset)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _mask_frames(masks: Mapping[str, np.ndarray]) -> list[tuple[int, int, np.ndarray]]:
    """(segment's number, slice, values (j, i)) of each slice in which the segment is."""
    frames = [
        (number, k, mask_ijk[:, :, k].T)
        for number, mask_ijk in enumerate(masks.values(), 1)
        for k in range(mask_ijk.shape[2])
        if mask_ijk[:, :, k].any()
    ]
    order = np.random.default_rng(0).permutation(len(frames))
    return sorted((frames[n] for n in order), key=lambda frame: -frame[0])


def _label_frames(masks: Mapping[str, np.ndarray]) -> list[tuple[int, int, np.ndarray]]:
    labels_ijk = sum(mask.astype(int) * number for number, mask in enumerate(masks.values(), 1))
    return [(0, k, labels_ijk[:, :, k].T) for k in range(labels_ijk.shape[2]) if labels_ijk[:, :, k].any()]


def _dataset(storage: UID, kind: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = storage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["segmentation", kind])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = storage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = "1.2.3.5"
    dataset.SeriesInstanceUID = "1.2.3.6"
    dataset.FrameOfReferenceUID = "1.2.3.7"
    dataset.Modality = "SEG"
    dataset.SegmentationType = kind
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    bits = 1 if kind == "BINARY" else 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    if kind == "FRACTIONAL":
        dataset.SegmentationFractionalType = "OCCUPANCY"
        dataset.MaximumFractionalValue = 1
    return dataset


def _segment(number: int, name: str) -> Dataset:
    segment = Dataset()
    segment.SegmentNumber = number
    segment.SegmentLabel = name
    segment.SegmentAlgorithmType = "MANUAL"
    segment.SegmentedPropertyCategoryCodeSequence = DicomSequence([_code()])
    segment.SegmentedPropertyTypeCodeSequence = DicomSequence([_code()])
    return segment


def _code() -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = CODE
    return code


def _dimension(pointer: int, group: int) -> Dataset:
    dimension = Dataset()
    dimension.DimensionIndexPointer = pointer
    dimension.FunctionalGroupPointer = group
    dimension.DimensionOrganizationUID = "1.2.3.4"
    return dimension


def _shared(affine: np.ndarray) -> Dataset:
    i_mm, j_mm, k_mm = np.linalg.norm(affine[:3, :3], axis=0)
    measures = Dataset()
    measures.PixelSpacing = vf.ds_text(np.array([j_mm, i_mm]))
    measures.SliceThickness = vf.ds_text(np.array([k_mm]))[0]
    measures.SpacingBetweenSlices = vf.ds_text(np.array([k_mm]))[0]
    orientation = Dataset()
    axes = np.concatenate([affine[:3, 0] / i_mm, affine[:3, 1] / j_mm])
    orientation.ImageOrientationPatient = vf.ds_text(axes)
    shared = Dataset()
    shared.PixelMeasuresSequence = DicomSequence([measures])
    shared.PlaneOrientationSequence = DicomSequence([orientation])
    return shared


def _frame(affine: np.ndarray, number: int, k: int) -> Dataset:
    frame = Dataset()
    position = Dataset()
    position.ImagePositionPatient = vf.ds_text((affine @ [0, 0, k, 1])[:3])
    frame.PlanePositionSequence = DicomSequence([position])
    content = Dataset()
    content.DimensionIndexValues = [number, k + 1] if number else [k + 1]
    frame.FrameContentSequence = DicomSequence([content])
    if number:
        segment = Dataset()
        segment.ReferencedSegmentNumber = number
        frame.SegmentIdentificationSequence = DicomSequence([segment])
    return frame
