"""Writes a patient's image and masks as in the Duke breast MRI data, with the oddities of the real files."""

import hashlib
import io
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, MRImageStorage

from segguided.data.datasets.phantom import Phantom
from segguided.files import atomic_path

NAMESPACE = uuid.UUID("7d9f1c1e-7c6f-5b0e-9a51-2f3d6c0f5b11")
COLORS = {"Breast": "0.85 0.55 0.45", "Vessels": "0.85 0.10 0.10", "Dense": "0.30 0.75 0.35"}


@dataclass(frozen=True)
class Traits:
    """How one patient's files differ from another's, as in the real data."""

    siemens: bool  # whether the scanner stores unsigned 12 bits; the other one, of GE, signed 16 bits
    turned: bool  # columns run to the right and rows to anterior
    from_head: bool  # instance 1 is the uppermost slice
    swapped: bool  # Dense has label value 1 and Vessels 2, else the reverse
    layered: bool  # a 4-D file with a layer for each segment, so that a voxel can be in both


def traits_of(patient: str) -> Traits:
    """The patient's traits, a function of the name alone."""
    digest = hashlib.sha256(patient.encode()).digest()
    return Traits(
        siemens=digest[0] % 2 == 0,
        turned=digest[1] % 3 == 0,
        from_head=digest[2] % 2 == 0,
        swapped=digest[3] % 3 == 0,
        layered=digest[4] % 4 == 0,
    )


def channel_series(folder: Path, patient: str, count: int) -> list[Path]:
    """Where the series of each of `count` channels of a phantom is: images/<patient>/1, 2, …"""
    return [folder / "images" / patient / str(number) for number in range(1, count + 1)]


def write_duke_layout(phantom: Phantom, patient: str, folder: Path, channel: int = 0) -> list[Path]:
    """Write images/<patient>/<uuid>.dcm and Segmentation_Masks_NRRD/<patient>/*.seg.nrrd below `folder`.

    The series of a `channel`, counted from 1, goes to images/<patient>/<channel>. Returns the files, sorted.
    Equal arguments give equal bytes.
    """
    traits = traits_of(patient)
    turn = -1 if traits.turned else 1
    stored = {
        name: getattr(phantom, f"{name}_zyx")[:, ::turn, ::turn]
        for name in ("image", "breast", "vessels", "dense")
    }
    affine = _turned(phantom.affine, phantom.image_zyx.shape) if traits.turned else phantom.affine
    masks = folder / "Segmentation_Masks_NRRD" / patient
    breast = masks / f"Segmentation_{patient}_Breast.seg.nrrd"
    tissues = masks / f"Segmentation_{patient}_Dense_and_Vessels.seg.nrrd"
    _write_nrrd(breast, stored["breast"].astype(np.uint8), affine, {"Breast": (1, 0)})
    labels, segments = _tissue_labels(stored["vessels"], stored["dense"], traits)
    _write_nrrd(tissues, labels, affine, segments)
    series = channel_series(folder, patient, channel)[-1] if channel else folder / "images" / patient
    slices = _write_series(series, patient, stored["image"], affine, traits, channel)
    return sorted([breast, tissues, *slices])


def _turned(affine: np.ndarray, shape_zyx: tuple[int, ...]) -> np.ndarray:
    """The affine of the array whose y and x axes are reversed."""
    _, height, width = shape_zyx
    turn = np.diag([-1.0, -1.0, 1.0, 1.0])
    turn[0, 3] = width - 1
    turn[1, 3] = height - 1
    return affine @ turn


def _tissue_labels(
    vessels: np.ndarray, dense: np.ndarray, traits: Traits
) -> tuple[np.ndarray, dict[str, tuple[int, int]]]:
    """Label map of vessels and dense tissue, and its segments (name: label value, layer)."""
    names = ("Dense", "Vessels") if traits.swapped else ("Vessels", "Dense")
    masks = {"Vessels": vessels, "Dense": dense}
    if traits.layered:
        layers = np.stack([masks[name] for name in names]).astype(np.uint8)
        return layers, {name: (1, layer) for layer, name in enumerate(names)}
    values = {name: value for value, name in enumerate(names, start=1)}
    merged = np.where(dense, values["Dense"], np.where(vessels, values["Vessels"], 0))
    return merged.astype(np.uint8), {name: (value, 0) for name, value in values.items()}


def _write_nrrd(
    path: Path, array: np.ndarray, affine: np.ndarray, segments: Mapping[str, tuple[int, int]]
) -> None:
    """Write a label map (z, y, x), or (layer, z, y, x), as 3D Slicer stores a segmentation.

    `segments` gives the label value and the layer of each segment.
    """
    directions = affine[:3, :3].T
    kinds = ["domain"] * 3
    if array.ndim == 4:
        directions = np.vstack([np.full(3, np.nan), directions])
        kinds = ["list", *kinds]
    header: dict[str, Any] = {
        "space": "left-posterior-superior",
        "kinds": kinds,
        "space directions": directions,
        "space origin": affine[:3, 3],
        "encoding": "gzip",
        **_segment_fields(segments),
    }
    axes = (2, 1, 0) if array.ndim == 3 else (0, 3, 2, 1)
    buffer = io.BytesIO()
    nrrd.write(buffer, array.transpose(axes), header)
    text, _, voxels = buffer.getvalue().partition(b"\n\n")
    # pynrrd writes the time into comments; without them equal masks give equal files.
    lines = [line for line in text.split(b"\n") if not line.startswith(b"#")]
    with atomic_path(path) as partial:
        partial.write_bytes(b"\n".join(lines) + b"\n\n" + voxels)


def _segment_fields(segments: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    fields = {"Segmentation_ContainedRepresentationNames": "Binary labelmap|"}
    for n, (name, (value, layer)) in enumerate(segments.items()):
        fields |= {
            f"Segment{n}_ID": f"Segment_{n + 1}",
            f"Segment{n}_Name": name,
            f"Segment{n}_Color": COLORS[name],
            f"Segment{n}_LabelValue": str(value),
            f"Segment{n}_Layer": str(layer),
        }
    return fields


def _write_series(
    folder: Path, patient: str, image_zyx: np.ndarray, affine: np.ndarray, traits: Traits, channel: int
) -> list[Path]:
    """Write a file for each slice. Their names, and in some patients their numbers, do not ascend with z."""
    series = _series_dataset(patient, image_zyx, affine, traits)
    of_channel = f" of channel {channel}" if channel else ""  # each has identifiers of its own
    series.SeriesInstanceUID = _uid(patient, f"series{of_channel}")
    paths = []
    for z, pixels in enumerate(image_zyx):
        number = len(image_zyx) - z if traits.from_head else z + 1
        position_lps = affine @ (0, 0, z, 1)
        dataset = _slice_dataset(series, patient, number, position_lps, pixels)
        dataset.SOPInstanceUID = _uid(patient, f"instance {number}{of_channel}")
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        path = folder / f"{_uuid(patient, f'file {z}{of_channel}')}.dcm"
        with atomic_path(path) as partial:
            dataset.save_as(partial, enforce_file_format=True)
        paths.append(path)
    return paths


def _series_dataset(patient: str, image_zyx: np.ndarray, affine: np.ndarray, traits: Traits) -> Dataset:
    """The part of the DICOM header that is equal in all slices."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0).round(6)
    across, down = (affine[:3, k] / np.linalg.norm(affine[:3, k]) for k in (0, 1))
    series = Dataset()
    series.SOPClassUID = MRImageStorage
    series.Modality = "MR"
    series.Manufacturer = "SIEMENS" if traits.siemens else "GE MEDICAL SYSTEMS"
    series.ManufacturerModelName = "Digital phantom"
    series.StudyDescription = "Digital breast phantom, no patient"
    series.SeriesDescription = "t1_fl3d_tra_dynVIEWS_spair_ pre" if traits.siemens else "ax dyn pre"
    series.PatientName = patient
    series.PatientID = patient
    series.PatientIdentityRemoved = "YES"
    series.PatientPosition = "FFP" if traits.turned else "HFS"
    series.StudyInstanceUID = _uid(patient, "study")
    series.FrameOfReferenceUID = _uid(patient, "frame")
    series.SeriesNumber = 3
    series.ImageOrientationPatient = [float(v) + 0.0 for v in (*across, *down)]
    series.PixelSpacing = [float(spacing[1]), float(spacing[0])]
    series.SliceThickness = float(spacing[2])
    series.SpacingBetweenSlices = float(spacing[2])
    series.SamplesPerPixel = 1
    series.PhotometricInterpretation = "MONOCHROME2"
    series.Rows, series.Columns = image_zyx.shape[1:]
    series.BitsAllocated = 16
    series.BitsStored = 12 if traits.siemens else 16
    series.HighBit = series.BitsStored - 1
    series.PixelRepresentation = 0 if traits.siemens else 1
    return series


def _slice_dataset(
    series: Dataset, patient: str, number: int, position_lps: np.ndarray, pixels_yx: np.ndarray
) -> Dataset:
    """The DICOM file of one slice."""
    dataset = Dataset()
    dataset.update(series)
    dataset.InstanceNumber = number
    dataset.ImagePositionPatient = [round(float(v), 6) for v in position_lps[:3]]
    dataset.SliceLocation = dataset.ImagePositionPatient[2]
    dataset.PixelData = pixels_yx.astype("<u2").tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    return dataset


def _uuid(patient: str, what: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"{patient}/{what}")


def _uid(patient: str, what: str) -> str:
    """A DICOM UID derived from a UUID (standard PS3.5, annex B.2)."""
    return f"2.25.{_uuid(patient, what).int}"
