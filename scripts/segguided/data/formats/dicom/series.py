"""Reads one DICOM series as a Volume: slices are placed by their position in the patient, never by file name.

Where they are in the patient is in orientation.py.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from segguided.data.formats.dicom import attributes, files, orientation
from segguided.data.formats.dicom.folder_files import check_folders_below, report_left_out, slice_files
from segguided.data.formats.dicom.orientation import SlicePlace
from segguided.data.formats.dicom.pixels import Meaning, Pixels, check_one_meaning, read_meaning, read_pixels
from segguided.data.formats.dicom.voxels import FLOAT32, INT16, FloatNeededError, HeldSlices, make_room
from segguided.data.formats.errors import errors_begin_with
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
    """What was read from all slices, in the order of their files."""

    voxels: HeldSlices
    slices: list[SlicePlace]
    meanings: list[Meaning]
    provenance: dict[str, Any]


def read_series(folder: Path) -> Volume:
    """The only series of single-frame files in `folder`, in modality units (HU for CT), as int16 or float32.

    int16 if slope and intercept are whole numbers and the values fit. Every file is read once, into one
    preallocated volume; a series of more than voxels.IN_MEMORY is read again slice by slice, when each is
    asked for. `provenance["stored_affine"]` maps (column, row, slice, 1), slices ascending along the patient
    axis closest to their normal, to LPS mm: the frame of masks that bring no geometry. Raises ValueError,
    saying what to do, unless the files form one complete and evenly spaced series whose pixels have one known
    meaning.
    """
    paths = slice_files(folder)
    try:
        series = _read_all(folder, paths, INT16)
    except FloatNeededError:
        series = _read_all(folder, paths, FLOAT32)
    _check_one(folder, series)
    order = orientation.slice_order(folder, series.slices)
    affine = orientation.series_affine(series.slices[order[0]], series.slices[order[-1]], len(order))
    rereads = [partial(_read_again, place.path) for place in series.slices]
    with errors_begin_with(folder):
        volume = series.voxels.volume(order, affine, rereads)
    volume = replace(
        volume,
        inverted=series.meanings[0].inverted,
        provenance=_whole_provenance(series, affine),
    )
    check_finite(volume, str(folder))
    return volume


def _read_all(folder: Path, paths: Sequence[Path], dtype: np.dtype) -> _Series:
    """Headers and voxels of all files that are slices; the log names the others."""
    series: _Series | None = None
    left_out: list[tuple[Path, str]] = []
    for path in paths:
        dataset = files.open_file(path)
        reason = files.why_no_slice(dataset, path)
        if reason:
            left_out.append((path, reason))
            continue
        files.complete_slice(dataset, path)
        place = orientation.read_place(dataset, path)
        if series is None:
            voxels = make_room(str(folder), len(paths), place.shape, dtype, place.is_axial)
            series = _Series(voxels, [], [], _provenance_of(dataset, path))
        _add(series, place, dataset)
    report_left_out(folder, left_out)
    if series is None:
        counts = Counter(reason for _, reason in left_out)
        reasons = ", ".join(f"{count} × {reason}" for reason, count in counts.items())
        raise ValueError(
            f"{folder}: expected one DICOM series of slices, got {reasons}; name the folder of the CT or MR "
            "series"
        )
    return series


def _add(series: _Series, place: SlicePlace, dataset: pydicom.Dataset) -> None:
    series.slices.append(place)
    series.meanings.append(read_meaning(dataset, place.path))
    # The pixels of a file that does not belong are not read; _check_one reports all such files together.
    if place.belongs_to(series.slices[0]):
        series.voxels.place(len(series.slices) - 1, read_pixels(dataset, place.path))


def _check_one(folder: Path, series: _Series) -> None:
    """Raise ValueError unless all slices are of one series, in one plane, with one meaning, in `folder`."""
    orientation.check_one_series(folder, series.slices)
    orientation.check_one_plane(series.slices)
    check_one_meaning(series.meanings)
    check_folders_below(folder, series.slices[0].series_uid)


def _read_again(path: Path) -> Pixels:
    dataset = files.open_file(path)
    files.complete_slice(dataset, path)
    return read_pixels(dataset, path)


def _provenance_of(dataset: pydicom.Dataset, path: Path) -> dict[str, Any]:
    """What one file says about its scanner and series."""
    texts = {key: str(attributes.value(dataset, tag, path) or "") for key, tag in PROVENANCE.items()}
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    return {"format": "dicom", **texts, "transfer_syntax": syntax}


def _whole_provenance(series: _Series, affine: np.ndarray) -> dict[str, Any]:
    """The provenance of the whole series; padding and inversion appear only in series that have them."""
    provenance = {**series.provenance, "stored_affine": affine.tolist(), "instances": len(series.slices)}
    if series.voxels.padded:
        provenance["padded_voxels"] = series.voxels.padded
    if series.meanings[0].inverted:
        provenance["inverted"] = True
    return provenance
