"""What a dataset's card says about each patient, read from slice files, one patient at a time.

Shape suffixes: S slices, H and W pixels.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segguided.data.slices import read_stack
from segguided.files import sha256_of
from segguided.text_tables import read_table

SETTINGS = ("intensity", "image_size", "resampling", "slices")  # keys of the provenance
PIXELS = "pixels_"  # what columns of splits.csv begin with, before a class's name
SCANNER = ("modality", "manufacturer", "model")  # keys of the provenance of DICOM files


@dataclass(frozen=True)
class PatientFacts:
    """One patient, as the slice file and the row of splits.csv describe it."""

    name: str
    split: str
    slices: int
    pixels: Mapping[str, int]  # of each class; 0 of those that are not annotated
    not_annotated: tuple[str, ...]  # classes
    seen: Mapping[str, int]  # slices with each class
    spacing_zyx_mm: tuple[float, float, float]  # of the volume
    shape_zyx: tuple[int, int, int]  # of the volume
    pixel_mm: float  # of the slices
    raw_ranges: tuple[tuple[float, float], ...]  # of each channel the values that became 0 and 255
    settings: Mapping[str, str]  # JSON
    scanner: tuple[str, ...]
    unsure: bool  # whether the header states no position
    measured: bool  # whether the files state a spacing; PNG files do not
    sha256: str


def read_splits(path: Path) -> list[dict[str, str]]:
    """The rows of splits.csv. Raises ValueError for another file and for one without patients."""
    rows = read_table(path, ",", needs={"patient", "split"}).rows
    if not rows:
        raise ValueError(f"{path}: expected at least one patient; make it again")
    return list(rows)


def read_facts(rows: list[dict[str, str]], folder: Path) -> Iterator[PatientFacts]:
    """The facts of each row's patient, whose slice file is in `folder`; one file is open at a time."""
    for row in rows:
        yield _facts(row, folder / f"{row['patient']}.npz")


def _facts(row: Mapping[str, str], path: Path) -> PatientFacts:
    stack = read_stack(path)
    provenance = stack.provenance
    try:
        classes = _class_names(row)
        image = dict(provenance["image"])
        z_mm, y_mm, x_mm = map(float, provenance["spacing_zyx_mm"])
        n_slices, height, width = map(int, provenance["shape_zyx"])
        settings = {name: _text(provenance[name]) for name in SETTINGS}
        settings |= _settings_of_channels(provenance)
        channels = provenance.get("channels", [provenance])
        raw_ranges = tuple((float(c["raw_value_of_0"]), float(c["raw_value_of_255"])) for c in channels)
        not_annotated = tuple(classes[value - 1] for value in stack.not_annotated)
        pixels = {name: 0 if name in not_annotated else int(row[PIXELS + name]) for name in classes}
        seen = dict(zip(classes, _slices_with(stack.masks_SHW, len(classes)), strict=True))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} or its row of splits.csv lacks what a card needs ({error}); prepare the patient again"
        ) from error
    return PatientFacts(
        name=row["patient"],
        split=row["split"],
        slices=len(stack.masks_SHW),
        pixels=pixels,
        not_annotated=not_annotated,
        seen=seen,
        spacing_zyx_mm=(z_mm, y_mm, x_mm),
        shape_zyx=(n_slices, height, width),
        pixel_mm=max(height * y_mm, width * x_mm) / stack.masks_SHW.shape[1],
        raw_ranges=raw_ranges,
        settings=settings,
        scanner=tuple(" ".join(str(image.get(name) or "").replace("|", "/").split()) for name in SCANNER),
        unsure=bool(image.get("suspicious_header")),
        measured=image.get("format") != "png",
        sha256=sha256_of(path),
    )


def _settings_of_channels(provenance: Mapping[str, Any]) -> dict[str, str]:
    """The intensity of each channel but the first, whose is that of the file."""
    others = list(enumerate(provenance.get("channels", []), 1))[1:]
    return {f"intensity of channel {number}": _text(channel["intensity"]) for number, channel in others}


def _class_names(row: Mapping[str, str]) -> list[str]:
    """The dataset's classes in order, from the columns of splits.csv."""
    return [column.removeprefix(PIXELS) for column in row if column.startswith(PIXELS)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _slices_with(masks_SHW: np.ndarray, n_classes: int) -> list[int]:
    """How many slices show each class, from class 1 on. ValueError where masks hold a higher class."""
    counts = np.zeros(256, int)
    for mask_HW in masks_SHW:
        counts += np.bincount(mask_HW.ravel(), minlength=256) > 0
    if counts[n_classes + 1 :].any():
        raise ValueError(
            f"masks hold class {np.flatnonzero(counts)[-1]}, columns {PIXELS}… end at {n_classes}"
        )
    return [int(count) for count in counts[1 : n_classes + 1]]
