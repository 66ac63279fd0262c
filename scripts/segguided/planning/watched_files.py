"""Which of a user's files Snakemake compares for a patient: files have contents, a folder has but a time."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from segguided.config.sources.dicom import DicomSource
from segguided.config.sources.patient_source import PatientSource
from segguided.config.sources.png import PngSource
from segguided.listing import composed, find, passed_over, stem_of

BETWEEN = "_slice_"  # of patient and number in the names of PNG slices


def files_in_folders(source: PatientSource, patient: str, masks: Sequence[str]) -> list[str] | None:
    """The patient's files in the folders that a source of kind dicom or png names.

    `masks` names the mask files of a dicom source.
    None where they cannot be told: for other kinds, and where some are missing, which slicing then says.
    """
    match source:
        case DicomSource():
            return _dicom(Path(source.images) / patient, Path(source.masks), patient, masks)
        case PngSource():
            found = [_png(Path(root)).get(patient, []) for root in (source.images, source.masks)]
            return found[0] + found[1] if all(found) else None
    return None


def _dicom(series: Path, masks: Path, patient: str, names: Sequence[str]) -> list[str] | None:
    from segguided.data.datasets.duke_masks import mask_folder  # noqa: PLC0415 - it loads readers that few plans need

    try:
        folder = mask_folder(masks, patient)
    except (OSError, ValueError):
        return None
    slices, segments = _files(find(series)), [find(folder / name) for name in names]
    whole = slices and all(path.is_file() for path in segments)
    return [str(path) for path in slices + segments] if whole else None


@cache
def _png(root: Path) -> Mapping[str, list[str]]:
    """All slices below `root`, by patient: one listing serves all of them."""
    of_patient: dict[str, list[str]] = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else ():
        for path in _files(folder):
            of_patient.setdefault(_owner(path.name), []).append(str(path))
    return of_patient


def _owner(name: str) -> str:
    """The patient of a slice's file; a slice without a number is a patient of its own."""
    stem = stem_of(composed(name), [".png"])
    patient, _, number = stem.rpartition(BETWEEN)
    return patient if patient and number.isdecimal() else stem


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if not passed_over(p.name) and p.is_file())


def model_files(folder: Path) -> list[str]:
    """The files of a diffusers model on disk, UNet's and scheduler's; where there are none, the folder."""
    root = folder / "unet" if (folder / "unet").is_dir() else folder
    files = [*_files(root), *_files(root.parent / "scheduler")]
    return [str(path) for path in files] or [str(folder)]
