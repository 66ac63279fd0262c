"""One DICOM series to a Volume: slices are placed by their position in the patient, never by file name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from segguided.data.formats.dicom import files, geometry, header, listing
from segguided.data.formats.dicom.pixels import Meaning, Pixels, check_one_meaning, read_meaning, read_pixels
from segguided.data.formats.dicom.stack import FLOAT32, INT16, FloatNeededError, HeldSlices, room
from segguided.data.formats.volume import Volume, check_finite

PROVENANCE = {
    "patient_id": "PatientID",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
    "series_description": "SeriesDescription",
    "modality": "Modality",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
}


@dataclass
class _Series:
    """What one reading of all files has found, in their order."""

    voxels: HeldSlices
    slices: list[geometry.Slice]
    meanings: list[Meaning]
    provenance: dict[str, Any]


def read_series(folder: Path) -> Volume:
    """The one single-frame series in `folder`, in modality units (HU for CT), as int16 or else float32.

    int16 wherever slope and intercept are whole numbers and the values fit. Every file is read once, into
    one preallocated volume; a series of more than dicom_stack.IN_MEMORY is read again slice by slice, when
    each is asked for. `provenance["stored_affine"]` maps (column, row, slice, 1), slices ascending
    along the patient axis closest to their normal, to LPS mm: the frame of masks that bring no geometry.
    Raises ValueError, with the remedy, unless the files form one complete and evenly spaced series whose
    pixels have one known meaning.
    """
    paths = listing.slice_files(folder)
    try:
        series = _read_all(folder, paths, INT16)
    except FloatNeededError:
        series = _read_all(folder, paths, FLOAT32)
    _check_one(folder, series)
    order = geometry.slice_order(folder, series.slices)
    affine = geometry.series_affine(series.slices[order[0]], series.slices[order[-1]], len(order))
    rereads = [partial(_pixels_of, one.path) for one in series.slices]
    volume = replace(
        series.voxels.volume(order, affine, rereads),
        inverted=series.meanings[0].inverted,
        provenance=_provenance_of(series, affine),
    )
    check_finite(volume, str(folder))
    return volume


def _read_all(folder: Path, paths: Sequence[Path], dtype: np.dtype) -> _Series:
    """Headers and voxels of all files that are slices; the log tells of the others."""
    found: _Series | None = None
    left_out: list[tuple[Path, str]] = []
    for path in paths:
        dataset = files.open_file(path)
        reason = files.why_no_slice(dataset, path)
        if reason:
            left_out.append((path, reason))
            continue
        files.complete_slice(dataset, path)
        one = _slice(dataset, path)
        if found is None:
            found = _Series(
                room(str(folder), len(paths), one.shape, dtype, one.is_axial),
                [],
                [],
                _provenance(dataset, path),
            )
        _add(found, one, dataset)
    listing.report_left_out(folder, left_out)
    if found is None:
        reasons = ", ".join(
            f"{count} × {reason}" for reason, count in Counter(r for _, r in left_out).items()
        )
        raise ValueError(
            f"{folder}: expected one DICOM series of slices, got {reasons}; name the folder of the CT or MR "
            "series"
        )
    return found


def _add(series: _Series, one: geometry.Slice, dataset: pydicom.Dataset) -> None:
    series.slices.append(one)
    series.meanings.append(read_meaning(dataset, one.path))
    # A file that does not belong is only counted here; the checks below report all of them together.
    if one.belongs_to(series.slices[0]):
        series.voxels.place(len(series.slices) - 1, read_pixels(dataset, one.path))


def _check_one(folder: Path, series: _Series) -> None:
    geometry.check_one_series(folder, series.slices)
    geometry.check_one_plane(series.slices)
    check_one_meaning(series.meanings)
    listing.check_folders_below(folder, series.slices[0].series_uid)


def _provenance_of(series: _Series, affine: np.ndarray) -> dict[str, Any]:
    """Of the whole series. What few series have is told only of those."""
    provenance = {**series.provenance, "stored_affine": affine.tolist(), "instances": len(series.slices)}
    if series.voxels.padded:
        provenance["padded_voxels"] = series.voxels.padded
    if series.meanings[0].inverted:
        provenance["inverted"] = True
    return provenance


def _pixels_of(path: Path) -> Pixels:
    """The slice, read once more."""
    dataset = files.open_file(path)
    files.complete_slice(dataset, path)
    return read_pixels(dataset, path)


def _slice(dataset: pydicom.Dataset, path: Path) -> geometry.Slice:
    rows, columns = (header.whole(dataset, keyword, path) for keyword in ("Rows", "Columns"))
    axes = header.numbers(dataset, "ImageOrientationPatient", 6, path).reshape(2, 3)
    if np.abs(axes @ axes.T - np.eye(2)).max() > geometry.SAME_DIRECTION:
        raise ValueError(
            f"{path}: expected two perpendicular unit vectors as ImageOrientationPatient, got "
            f"{axes.ravel().tolist()}; mend the header or leave the series out"
        )
    pixel_mm = header.numbers(dataset, "PixelSpacing", 2, path)
    if pixel_mm.min() <= 0 or min(rows, columns) <= 0:
        raise ValueError(
            f"{path}: expected Rows, Columns and PixelSpacing above 0, got {rows}, {columns} and "
            f"{pixel_mm.tolist()}; mend the header or leave the series out"
        )
    return geometry.Slice(
        path=path,
        series_uid=str(header.required(dataset, "SeriesInstanceUID", path)),
        instance_uid=str(header.value(dataset, "SOPInstanceUID", path) or ""),
        shape=(rows, columns),
        axes=axes,
        pixel_mm=pixel_mm,
        position_mm=header.numbers(dataset, "ImagePositionPatient", 3, path),
    )


def _provenance(dataset: pydicom.Dataset, path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {
        key: str(header.value(dataset, tag, path) or "") for key, tag in PROVENANCE.items()
    }
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    return {"format": "dicom", **values, "transfer_syntax": syntax}
