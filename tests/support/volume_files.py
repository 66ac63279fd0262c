"""One asymmetric patient, written in every format: the truth that all readers must return."""

import gzip
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    generate_uid,
)

from segguided.data.formats.volume import Volume

ENCODERS = {JPEG2000Lossless: "pylibjpeg", JPEGLSLossless: "pyjpegls"}
MARKER = 1500  # a single voxel near the left, anterior, superior corner
DIRECTIONS = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
# The 48 ways in which the axes of a file can run.
ALL_ORIENTATIONS = ["".join(pick) for axes in permutations(("LR", "PA", "SI")) for pick in product(*axes)]
# What turns LPS into an NRRD space.
SPACES = {
    "left-posterior-superior": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "LPS": (1, 1, 1),
    "RAS": (-1, -1, 1),
    "LAS": (1, -1, 1),
}
# Acquisition planes as scanners store them: the directions in which column, row and slice index grow.
AXIAL = "LPS"
AXIAL_DOWN = "LPI"
AXIAL_TURNED = "RAS"
SAGITTAL = "PIL"
CORONAL = "LIP"


@dataclass(frozen=True)
class Stored:
    """Voxels (i, j, k) and their affine to LPS mm, as a file holds them."""

    array_ijk: np.ndarray
    affine: np.ndarray


def truth(tilt_degrees: float = 0.0, dtype: Any = np.int16) -> Stored:
    """A chiral object in LPS order (x, y, z): every flip and every swap of axes changes it."""
    array_xyz = np.full((7, 8, 9), -1000, dtype)
    array_xyz[1:5, 2:7, 1:8] = 40  # body
    array_xyz[3:5, 2:4, 4:8] = 300  # an L of two bars on its left, anterior, upper side
    array_xyz[1:5, 2:3, 6:8] = 300
    array_xyz[2, 5, 2] = -500
    array_xyz[6, 0, 8] = MARKER
    angle = np.deg2rad(tilt_degrees)
    # About the left-right axis.
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([0.75, 0.5, 2.5])
    affine[:3, 3] = [-12.5, 31.25, -140.0]
    return Stored(array_xyz, affine)


def marker_mm(stored: Stored) -> np.ndarray:
    """LPS position of the marker in stored voxels."""
    index = np.argwhere(stored.array_ijk == MARKER)
    assert len(index) == 1
    return np.asarray((stored.affine @ [*index[0], 1])[:3])


def assert_truth(volume: Volume, truth: Stored) -> None:
    """The same voxels in LPS, and the marker at its place in the patient."""
    np.testing.assert_array_equal(volume.array_zyx.transpose(2, 1, 0), truth.array_ijk)
    np.testing.assert_allclose(volume.affine, truth.affine, atol=1e-6)
    z, y, x = np.argwhere(volume.array_zyx == MARKER)[0]
    np.testing.assert_allclose((volume.affine @ [x, y, z, 1])[:3], marker_mm(truth), atol=1e-6)


def stored_along(whole: Stored, code: str) -> Stored:
    """The same patient with axes in the directions of `code`, such as RAS; independent of nibabel."""
    axes = [DIRECTIONS[letter][0] for letter in code]
    array = whole.array_ijk.transpose(axes)
    affine = whole.affine.copy()
    for new, letter in enumerate(code):
        old, sign = DIRECTIONS[letter]
        affine[:3, new] = sign * whole.affine[:3, old]
        if sign < 0:
            array = np.flip(array, new)
            affine[:3, 3] += whole.affine[:3, old] * (array.shape[new] - 1)
    return Stored(array, affine)


def ds_text(values: np.ndarray) -> list[str]:
    """Decimal strings of at most 16 characters, as DICOM wants them."""
    return [f"{value:.9f}"[:16] for value in np.ravel(values)]


def write_dicom(
    folder: Path,
    stored: Stored,
    *,
    signed: bool = True,
    slope: float = 1,
    intercept: float = 0,
    syntax: UID = ImplicitVRLittleEndian,
    change: Callable[[int, Dataset], None] = lambda k, dataset: None,
    seed: int = 0,
) -> list[Path]:
    """A series of single-frame files whose uuid names scramble the slices; their paths by slice index.

    Folders of one name get the same UIDs, so that a test's files are the same in every run.

    Signed 16 bits, as GE's scanners write, or unsigned 12, as Siemens' do (16 where the values need them).
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = np.random.default_rng(seed)
    study = generate_uid(entropy_srcs=[folder.name])
    series = generate_uid(entropy_srcs=[folder.name, "series"])
    paths = []
    for k in range(stored.array_ijk.shape[2]):
        dataset = _dataset(stored, k, study, series, signed, slope, intercept, syntax)
        if syntax in ENCODERS:
            dataset.compress(syntax, encoding_plugin=ENCODERS[syntax])
        change(k, dataset)
        paths.append(folder / f"{uuid.UUID(bytes=names.bytes(16), version=4)}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def _dataset(
    stored: Stored, k: int, study: str, series: str, signed: bool, slope: float, intercept: float, syntax: UID
) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4")  # MR Image Storage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series, str(k)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax in ENCODERS else syntax
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.PatientID = "Breast_MRI_002"
    dataset.Modality = "MR"
    dataset.SeriesDescription = "ax dyn pre"
    scanner = ("GE MEDICAL SYSTEMS", "Signa HDxt") if signed else ("SIEMENS", "Avanto")
    dataset.Manufacturer, dataset.ManufacturerModelName = scanner
    dataset.StudyInstanceUID = study
    dataset.SeriesInstanceUID = series
    dataset.SeriesNumber = 3
    dataset.InstanceNumber = k + 1
    step_i = stored.affine[:3, 0]
    step_j = stored.affine[:3, 1]
    size_i = np.linalg.norm(step_i)
    size_j = np.linalg.norm(step_j)
    dataset.ImageOrientationPatient = ds_text(np.concatenate([step_i / size_i, step_j / size_j]))
    dataset.ImagePositionPatient = ds_text((stored.affine @ [0, 0, k, 1])[:3])
    dataset.PixelSpacing = ds_text(np.array([size_j, size_i]))
    dataset.RescaleSlope = f"{slope:g}"
    dataset.RescaleIntercept = f"{intercept:g}"
    pixels = np.rint((stored.array_ijk[:, :, k].T.astype(float) - intercept) / slope)
    pixels = pixels.astype("<i2" if signed else "<u2")
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    bits = 16 if signed or stored.array_ijk.max() - intercept >= 4096 * slope else 12
    dataset.BitsAllocated = 16
    dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(signed)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def write_nifti(path: Path, stored: Stored, slope: float = 1, inter: float = 0, coded: bool = True) -> Path:
    """NIfTI, whose world is RAS; with a slope the file holds (value - inter) / slope as int16.

    nibabel chooses scale and codes itself on writing, so both are put into the header's bytes (NIfTI-1
    standard: scl_slope at 112, scl_inter at 116, qform_code at 252, sform_code at 254).
    """
    array = stored.array_ijk
    if (slope, inter) != (1, 0):
        array = np.rint((array - inter) / slope).astype(np.int16)
    data = bytearray(nib.Nifti1Image(array, np.diag([-1, -1, 1, 1]) @ stored.affine).to_bytes())
    if (slope, inter) != (1, 0):
        data[112:120] = np.array([slope, inter], "<f4").tobytes()
    if not coded:
        data[252:256] = bytes(4)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_nrrd(
    path: Path, stored: Stored, space: str | None = "left-posterior-superior", **fields: Any
) -> Path:
    """NRRD in the given space; `fields` are added to the header, and a field of None is removed from it."""
    signs = SPACES[space or "LPS"]
    directions = (np.array(signs)[:, None] * stored.affine[:3, :3]).T
    if stored.array_ijk.ndim == 4:
        directions = np.vstack([np.full(3, np.nan), directions])
    header = {
        "space": space,
        "space directions": directions,
        "space origin": np.array(signs) * stored.affine[:3, 3],
        "encoding": "gzip",
        **{key.replace("_of_", " "): value for key, value in fields.items()},
    }
    nrrd.write(
        str(path), stored.array_ijk, {key: value for key, value in header.items() if value is not None}
    )
    return path


def segment_fields(*segments: tuple[str, int, int]) -> dict[str, str]:
    """Header fields of 3D Slicer for (name, label value, layer)."""
    fields: dict[str, str] = {}
    for n, (name, value, layer) in enumerate(segments):
        fields |= {
            f"Segment{n}_Name": name,
            f"Segment{n}_LabelValue": str(value),
            f"Segment{n}_Layer": str(layer),
        }
    return fields


def cut(path: Path, share: float = 0.6) -> Path:
    """The file without its end, as a broken download leaves it."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path
