"""What a reader sees of a table, from its numbers: texts, ranks, notes. Markdown and pictures show it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from segguided.config.reserved import MACRO
from segguided.tables.dice import CEILING_ROW, LAYOUTS, Measure
from segguided.tables.distance import REFERENCE_ROW
from segguided.tables.distance import TITLE as DISTANCE_TITLE
from segguided.tables.notes import dice_notes, distance_notes

UNRANKED = (CEILING_ROW, REFERENCE_ROW)  # real data: what the models are measured by
MINUS = "−"
FLOP_UNITS = {"EFLOP": 1e-6, "PFLOP": 1e-3, "TFLOP": 1.0, "GFLOP": 1e3}  # by a number of TFLOP


@dataclass(frozen=True)
class Entry:
    """One cell: its number, what stands small beside it, its place among the models (1 best, 2 second)."""

    text: str = ""
    small: str = ""
    place: int | None = None


@dataclass(frozen=True)
class SheetColumn:
    """An entry a row, below a heading; neighbours with the same `over` stand below that one together."""

    heading: str
    entries: tuple[Entry, ...]
    over: str = ""


@dataclass(frozen=True)
class SheetRow:
    """What a row is about, as the reader sees it."""

    dataset: str
    model: str


@dataclass(frozen=True)
class Sheet:
    """A table as it is read."""

    number: int
    title: str
    rows: tuple[SheetRow, ...]
    columns: tuple[SheetColumn, ...]
    notes: tuple[str, ...]


def make_sheet(number: int, frame: pd.DataFrame) -> Sheet:
    """The sheet of a table's frame; Tables 1 and 2 show the mean over classes alone."""
    if number not in LAYOUTS:
        columns = [*_distance_columns(frame), *_training_column(frame)]
        return Sheet(number, DISTANCE_TITLE, _rows(frame), tuple(columns), distance_notes(frame))
    macro = frame[frame["class"] == MACRO].reset_index(drop=True)
    measures = LAYOUTS[number].measures
    columns = [c for m in measures for c in _dice_columns(macro, m, m.label if len(measures) > 1 else "")]
    columns += _training_column(macro)
    return Sheet(number, LAYOUTS[number].title, _rows(macro), tuple(columns), dice_notes(number, frame))


def number_text(value: float, decimals: int, *, signed: bool = False) -> str:
    """The number with a real minus sign; nothing for NaN."""
    if math.isnan(value):
        return ""
    text = f"{round(value, decimals) + 0.0:{'+' if signed else ''}.{decimals}f}"
    return text.replace("-", MINUS)


def dice_entry(row: "pd.Series[float]", column: str, place: int | None = None) -> Entry:
    """Dice and, small, ± over seeds where there are several and the interval: `± 0.0021 [0.880, 0.921]`."""
    value, std, low, high = (row[column + part] for part in ("", "_std", "_low", "_high"))
    spread = [] if math.isnan(std) else [f"± {std:.4f}"]
    interval = [] if math.isnan(low) else [f"[{number_text(low, 3)}, {number_text(high, 3)}]"]
    return Entry(number_text(value, 4), " ".join(spread + interval), place)


def places(frame: pd.DataFrame, column: str, decimals: int, *, lower_is_better: bool) -> list[int | None]:
    """Place of each row's model within its dataset: 1 for the best and, of three or more, 2 for the second.

    Numbers that are printed alike share a place. Real data take none.
    """
    competing = frame[column].notna() & ~frame["model"].isin(UNRANKED)
    values = frame[column].round(decimals) * (1 if lower_is_better else -1)
    found: list[int | None] = [None] * len(frame)
    for dataset in frame["dataset"].unique():
        here = values[competing & (frame["dataset"] == dataset)]
        shown = sorted(here.unique())[: 2 if len(here) > 2 else 1]
        for row, value in here.items():
            found[frame.index.get_loc(row)] = shown.index(value) + 1 if value in shown else None
    return found


def groups(columns: Sequence[SheetColumn]) -> list[tuple[str, list[SheetColumn]]]:
    """Neighbouring columns that stand below one heading, with that heading."""
    return [(over, list(members)) for over, members in groupby(columns, key=lambda column: column.over)]


def _rows(frame: pd.DataFrame) -> tuple[SheetRow, ...]:
    pairs = zip(frame["dataset"], frame["title"], strict=True)
    return tuple(SheetRow(str(dataset), str(title)) for dataset, title in pairs)


def _dice_columns(macro: pd.DataFrame, measure: Measure, over: str) -> list[SheetColumn]:
    """The Dice, its ratio to the ceiling and, where the paper has values, those and the difference."""
    name = measure.column
    ranks = places(macro, name, 4, lower_is_better=False)
    dice = [dice_entry(row, name, rank) for (_, row), rank in zip(macro.iterrows(), ranks, strict=True)]
    columns = [
        SheetColumn("macro" if over else measure.label, tuple(dice), over),
        SheetColumn("ratio", _numbers(macro[f"{name}_ratio_to_ceiling"], 2), over),
    ]
    if macro[f"{name}_paper"].notna().any():
        columns += [
            SheetColumn("paper", _numbers(macro[f"{name}_paper"], 4), over),
            SheetColumn("difference", _numbers(macro[f"{name}_minus_paper"], 4, signed=True), over),
        ]
    return columns


def _distance_columns(frame: pd.DataFrame) -> list[SheetColumn]:
    """Both distances with their deviation (over seeds, or the kernel's over subsets), and how many images."""
    kernel_std = "kernel_std" if frame["seeds"].max() > 1 else "kernel_subset_std"
    columns = [
        _distance_column(frame, "frechet", "frechet_std", "Fréchet distance", 1),
        _distance_column(frame, "kernel", kernel_std, "kernel distance × 10³", 1000),
    ]
    for name, heading in (("n_generated", "images"), ("n_real", "test images")):
        columns.append(SheetColumn(heading, tuple(Entry(f"{value:,}") for value in frame[name])))
    return columns


def _distance_column(
    frame: pd.DataFrame, name: str, deviation: str, heading: str, factor: float
) -> SheetColumn:
    scaled, spread = frame.assign(**{name: factor * frame[name]}), factor * frame[deviation]
    entries = tuple(
        Entry(number_text(value, 3), "" if math.isnan(std) else f"± {std:.3f}", place)
        for value, std, place in zip(
            scaled[name], spread, places(scaled, name, 3, lower_is_better=True), strict=True
        )
    )
    return SheetColumn(heading, entries)


def _training_column(frame: pd.DataFrame) -> list[SheetColumn]:
    """Operations of each model's training, the unit such that the smallest is at least 0.1, and images."""
    tflop = frame["training_tflop"]
    if tflop.isna().all():
        return []
    unit = next((unit for unit, factor in FLOP_UNITS.items() if tflop.min() * factor >= 0.1), "GFLOP")
    entries = tuple(
        Entry(number_text(value * FLOP_UNITS[unit], 1), "" if math.isnan(images) else _images(images))
        for value, images in zip(tflop, frame["training_images"], strict=True)
    )
    return [SheetColumn(f"training, {unit}", entries)]


def _images(count: float) -> str:
    unit, factor = next(((u, f) for u, f in (("M ", 1e6), ("k ", 1e3)) if count >= f), ("", 1.0))
    return f"({count / factor:.{1 if unit else 0}f} {unit}images)"


def _numbers(values: "pd.Series[float]", decimals: int, *, signed: bool = False) -> tuple[Entry, ...]:
    return tuple(Entry(number_text(value, decimals, signed=signed)) for value in values)
