"""One DICOM series to a Volume: slices are placed by their position in the patient, never by file name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut

from segguided.data import dicom_geometry as geometry
from segguided.data.nifti import check_finite
from segguided.data.volume import Volume, oriented

# What lies beside the slices of a download without being one. Anything else has to be DICOM, so that a
# damaged slice can never pass for a companion and be left out.
COMPANION_SUFFIXES = (
    *(".txt", ".json", ".csv", ".tsv", ".xml", ".md", ".html", ".pdf", ".log", ".yaml", ".yml", ".md5"),
    *(".sha256", ".png", ".jpg", ".jpeg", ".zip", ".nrrd", ".gz"),
)
COMPANION_NAMES = ("dicomdir", "license", "readme", "thumbs.db", "desktop.ini")
# All that pydicom was seen to raise on files cut at any byte, or with bytes overwritten.
UNREADABLE = (
    *(InvalidDicomError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(RuntimeError, NotImplementedError, OverflowError),
)
PROVENANCE = {
    "patient_id": "PatientID",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
    "series_description": "SeriesDescription",
    "modality": "Modality",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
}


def read_series(folder: Path) -> Volume:
    """The one single-frame series in `folder`, in modality units (HU for CT), as int16 or else float32.

    int16 wherever slope and intercept are whole numbers and the values fit. Every file is read once, into
    one preallocated volume. `provenance["stored_affine"]` maps (column, row, slice, 1), slices ascending
    along the patient axis closest to their normal, to LPS mm: the frame of masks that bring no geometry.
    Raises ValueError, with the remedy, unless the files form one complete and evenly spaced series.
    """
    files = _slice_files(folder)
    slices: list[geometry.Slice] = []
    provenance: dict[str, Any] = {}
    stack_kji = np.empty((0, 0, 0), np.int16)
    for index, path in enumerate(files):
        dataset = _read(path)
        slices.append(_slice(dataset, path))
        if index == 0:
            provenance = _provenance(dataset, len(files))
        # A file that does not belong is only counted here; the checks below report all of them together.
        if slices[-1].belongs_to(slices[0]):
            stack_kji = _placed(stack_kji, index, len(files), _voxels(dataset, path))
    geometry.check_one_series(folder, slices)
    geometry.check_one_plane(slices)
    order = geometry.slice_order(folder, slices)
    _reorder(stack_kji, order)
    affine = geometry.series_affine(slices[order[0]], slices[order[-1]], len(order))
    provenance["stored_affine"] = affine.tolist()
    volume = oriented(stack_kji.transpose(2, 1, 0), affine, provenance)
    check_finite(volume, str(folder))
    return volume


def _slice_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder}: expected a folder with one DICOM series, but there is none; download it")
    files = sorted(p for p in folder.iterdir() if p.is_file() and not _is_companion(p))
    if not files:
        deeper = sorted(p.name for p in folder.iterdir() if p.is_dir())
        hint = f"name a folder below it, such as {deeper[0]}" if deeper else "download the series again"
        raise ValueError(f"{folder}: expected one DICOM series, but the folder holds no DICOM files; {hint}")
    return files


def _is_companion(path: Path) -> bool:
    name = path.name.lower()
    return name.startswith(".") or name in COMPANION_NAMES or path.suffix.lower() in COMPANION_SUFFIXES


def _read(path: Path) -> pydicom.Dataset:
    try:
        dataset = pydicom.dcmread(path)
        frames = int(dataset.get("NumberOfFrames") or 1)
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    if frames > 1:
        raise ValueError(
            f"{path}: expected one slice a file, got an enhanced (multi-frame) file of {frames} frames; "
            "convert it to single-frame DICOM first"
        )
    return dataset


def _damaged(path: Path, error: Exception) -> ValueError:
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return ValueError(
        f"{path}: expected a complete DICOM file, but it is truncated, damaged or none ({reason}); "
        "download it again, or move it away if it is no slice"
    )


def _slice(dataset: pydicom.Dataset, path: Path) -> geometry.Slice:
    rows, columns = (int(_numbers(dataset, keyword, 1, path)[0]) for keyword in ("Rows", "Columns"))
    axes = _numbers(dataset, "ImageOrientationPatient", 6, path).reshape(2, 3)
    if np.abs(axes @ axes.T - np.eye(2)).max() > geometry.SAME_DIRECTION:
        raise ValueError(
            f"{path}: expected two perpendicular unit vectors as ImageOrientationPatient, got "
            f"{axes.ravel().tolist()}; mend the header or leave the series out"
        )
    return geometry.Slice(
        path=path,
        series_uid=str(_required(dataset, "SeriesInstanceUID", path)),
        shape=(rows, columns),
        axes=axes,
        pixel_mm=_numbers(dataset, "PixelSpacing", 2, path),
        position_mm=_numbers(dataset, "ImagePositionPatient", 3, path),
    )


def _required(dataset: pydicom.Dataset, keyword: str, path: Path) -> Any:
    try:
        value = dataset.get(keyword)  # parsed only now
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    if value is None or value == "":
        raise ValueError(
            f"{path}: expected a CT or MR slice, but {keyword} is missing; the file is truncated or no image "
            "slice: download it again or move it away"
        )
    return value


def _numbers(dataset: pydicom.Dataset, keyword: str, count: int, path: Path) -> np.ndarray:
    value = _required(dataset, keyword, path)
    numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise ValueError(
            f"{path}: expected {count} finite number(s) as {keyword}, got {value}; mend the header or leave "
            "the series out"
        )
    return numbers


def _voxels(dataset: pydicom.Dataset, path: Path) -> np.ndarray:
    """Pixels (row, column) in modality units: int16 where exact, else float32."""
    stored = _stored_pixels(dataset, path)
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    whole = stored.dtype.kind in "iu" and slope.is_integer() and intercept.is_integer()
    if not whole or "ModalityLUTSequence" in dataset:
        return np.asarray(apply_modality_lut(stored, dataset), dtype=np.float32)
    values = stored.astype(np.int64) * int(slope) + int(intercept)
    limits = np.iinfo(np.int16)
    fits = limits.min <= values.min() and values.max() <= limits.max
    return values.astype(np.int16 if fits else np.float32)


def _stored_pixels(dataset: pydicom.Dataset, path: Path) -> np.ndarray:
    _check_decodable(dataset, path)
    try:
        stored = dataset.pixel_array
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    if stored.ndim != 2:
        raise ValueError(f"{path}: expected grey values, got pixels of shape {stored.shape}; leave it out")
    unused = int(dataset.get("BitsAllocated", 16)) - int(dataset.get("BitsStored", 16))
    if unused and stored.dtype.kind in "iu":
        # Old scanners leave overlays above BitsStored, or do not extend the sign: shift them out.
        stored = (stored << unused) >> unused
    return stored


def _check_decodable(dataset: pydicom.Dataset, path: Path) -> None:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    try:
        available = syntax is None or not syntax.is_compressed or get_decoder(syntax).is_available
    except (NotImplementedError, ValueError):  # no transfer syntax of images at all
        available = False
    if not available:
        raise ValueError(
            f"{path}: expected uncompressed, RLE or JPEG 2000 pixels, got {syntax.name}, for which no "
            "decoder is installed; install one for pydicom or decompress the series first"
        )


def _placed(stack_kji: np.ndarray, index: int, count: int, values: np.ndarray) -> np.ndarray:
    """The stack with `values` as slice `index`; float32 from the first slice that needs it on."""
    if stack_kji.size == 0:
        stack_kji = np.empty((count, *values.shape), values.dtype)
    elif values.dtype == np.float32:
        stack_kji = stack_kji.astype(np.float32, copy=False)
    stack_kji[index] = values
    return stack_kji


def _reorder(stack: np.ndarray, order: Sequence[int]) -> None:
    """stack[k] = stack[order[k]] for all k at once, with one slice of extra memory."""
    source = list(order)
    for start in range(len(source)):
        saved, k = stack[start].copy(), start
        while source[k] != start:
            following = source[k]
            stack[k] = stack[following]
            source[k], k = k, following
        stack[k], source[k] = saved, k


def _provenance(dataset: pydicom.Dataset, instances: int) -> dict[str, Any]:
    values: dict[str, Any] = {key: str(dataset.get(keyword) or "") for key, keyword in PROVENANCE.items()}
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    return {"format": "dicom", **values, "transfer_syntax": syntax, "instances": instances}
