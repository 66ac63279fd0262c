"""One DICOM series to a Volume: slices are placed by their position in the patient, never by file name."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut

from segguided.data import dicom_geometry as geometry
from segguided.data.volume import Volume, check_finite, oriented

# What lies beside the slices of a download without being one. Anything else has to be DICOM, so that a
# damaged slice can never pass for a companion and be left out.
COMPANION_SUFFIXES = (
    *(".txt", ".json", ".csv", ".tsv", ".xml", ".md", ".html", ".pdf", ".log", ".yaml", ".yml", ".md5"),
    *(".sha256", ".png", ".jpg", ".jpeg", ".zip", ".nrrd", ".gz"),
)
COMPANION_NAMES = ("dicomdir", "license", "readme", "thumbs.db", "desktop.ini")
# What pydicom raises on files cut short or with bytes overwritten.
UNREADABLE = (
    *(InvalidDicomError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(RuntimeError, NotImplementedError, OverflowError, struct.error, BytesLengthException),
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
            provenance = _provenance(dataset, path, len(files))
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
    reason = _printable(error).rstrip(".") or type(error).__name__
    return ValueError(
        f"{path}: expected a complete DICOM file, but it is truncated, damaged or none ({reason}); "
        "download it again, or move it away if it is no slice"
    )


def _printable(value: object) -> str:
    """The start of the value's first line; damaged headers hold anything."""
    line = next(iter(str(value).splitlines()), "")
    return "".join(c if c.isprintable() else "?" for c in line[:100])


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


def _value(dataset: pydicom.Dataset, keyword: str, path: Path) -> Any:
    """The attribute, parsed by pydicom only now; None where it is absent or empty."""
    try:
        value = dataset.get(keyword)
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    return None if value == "" else value


def _required(dataset: pydicom.Dataset, keyword: str, path: Path) -> Any:
    value = _value(dataset, keyword, path)
    if value is None:
        raise ValueError(
            f"{path}: expected a CT or MR slice, but {keyword} is missing; the file is truncated or no image "
            "slice: download it again or move it away"
        )
    return value


def _numbers(dataset: pydicom.Dataset, keyword: str, count: int, path: Path) -> np.ndarray:
    value = _required(dataset, keyword, path)
    try:
        numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (ValueError, TypeError):
        numbers = np.empty(0)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise ValueError(
            f"{path}: expected {count} finite number(s) as {keyword}, got {_printable(value)}; mend the "
            "header or leave the series out"
        )
    return numbers


def _number(dataset: pydicom.Dataset, keyword: str, default: float, path: Path) -> float:
    if _value(dataset, keyword, path) is None:
        return default
    return float(_numbers(dataset, keyword, 1, path)[0])


def _voxels(dataset: pydicom.Dataset, path: Path) -> np.ndarray:
    """Pixels (row, column) in modality units: int16 where exact, else float32."""
    stored = _stored_pixels(dataset, path)
    if "ModalityLUTSequence" in dataset:
        return np.asarray(apply_modality_lut(stored, dataset), dtype=np.float32)
    slope = _number(dataset, "RescaleSlope", 1.0, path)
    intercept = _number(dataset, "RescaleIntercept", 0.0, path)
    whole = slope.is_integer() and intercept.is_integer() and max(abs(slope), abs(intercept)) < 2**31
    if stored.dtype.kind == "f" or not whole:
        return (stored * slope + intercept).astype(np.float32)
    values = stored.astype(np.int64) * int(slope) + int(intercept)
    limits = np.iinfo(np.int16)
    fits = limits.min <= values.min() and values.max() <= limits.max
    return values.astype(np.int16 if fits else np.float32)


def _stored_pixels(dataset: pydicom.Dataset, path: Path) -> np.ndarray:
    _check_decodable(dataset, path)
    try:
        stored: np.ndarray = dataset.pixel_array  # bits above BitsStored are masked by pydicom
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    if stored.ndim != 2:
        raise ValueError(f"{path}: expected grey values, got pixels of shape {stored.shape}; leave it out")
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


def _provenance(dataset: pydicom.Dataset, path: Path, instances: int) -> dict[str, Any]:
    values: dict[str, Any] = {key: str(_value(dataset, tag, path) or "") for key, tag in PROVENANCE.items()}
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    return {"format": "dicom", **values, "transfer_syntax": syntax, "instances": instances}
