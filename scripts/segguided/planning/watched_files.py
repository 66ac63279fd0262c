"""Which of a user's files Snakemake compares for a patient: files by content; a folder has only a time."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path

from segguided.config.sources.dicom import DicomSource
from segguided.config.sources.patient_source import PatientSource
from segguided.config.sources.png import PngSource
from segguided.listing import composed, find, passed_over, stem_of

BETWEEN = "_slice_"  # between patient and number in the name of a PNG slice


def files_in_folders(
    source: PatientSource, patient: str, masks: Sequence[str], row: Mapping[str, str] | None = None
) -> list[str] | None:
    """The patient's files in the folders that a source of kind dicom or png names.

    `masks` are the names of the mask files of a dicom source; `row` is the patient's of the table, whose
    columns may name the series of channels. Returns None for other kinds of source. It also
    returns None if some files are missing; slicing then says which.
    """
    match source:
        case DicomSource():
            cells = row or {"patient": patient}
            series = [Path(source.images, pattern.format(**cells)) for pattern in source.series_patterns]
            return _dicom(series, Path(source.masks), patient, masks)
        case PngSource():
            images = _png(Path(source.images)).get(patient, [])
            masks_of_patient = _png(Path(source.masks)).get(patient, [])
            return images + masks_of_patient if images and masks_of_patient else None
    return None


def _dicom(series: Sequence[Path], masks: Path, patient: str, names: Sequence[str]) -> list[str] | None:
    from segguided.data.datasets.duke_masks import mask_folder  # noqa: PLC0415 - it loads readers that few plans need

    try:
        folder = mask_folder(masks, patient)
    except (OSError, ValueError):
        return None
    slices = [_files(find(of_channel)) for of_channel in series]
    segments = [find(folder / name) for name in names]
    if not all(slices) or not all(path.is_file() for path in segments):
        return None
    return [str(path) for path in [*chain.from_iterable(slices), *segments]]


@cache
def _png(root: Path) -> Mapping[str, list[str]]:
    """All slices in the folders below `root`, by patient. The folders are listed once for all patients."""
    slices: dict[str, list[str]] = {}
    if not root.is_dir():
        return slices
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        for path in _files(folder):
            slices.setdefault(_patient_of(path.name), []).append(str(path))
    return slices


def _patient_of(name: str) -> str:
    """The patient of a slice's file; a slice without a number is a patient of its own."""
    stem = stem_of(composed(name), [".png"])
    patient, _, number = stem.rpartition(BETWEEN)
    return patient if patient and number.isdecimal() else stem


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not passed_over(path.name) and path.is_file())


def model_files(folder: Path) -> list[str]:
    """The files of UNet and scheduler of a diffusers model on disk; the folder if there are none."""
    root = folder / "unet" if (folder / "unet").is_dir() else folder
    files = [*_files(root), *_files(root.parent / "scheduler")]
    return [str(path) for path in files] or [str(folder)]
