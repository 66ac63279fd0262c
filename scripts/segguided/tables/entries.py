"""What a cell of a table shows: a number, small text beside it, and its place among the models."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import pandas as pd

MINUS = "−"
Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Entry:
    """A cell: its number, small text beside it, and its place among the models (1 best, 2 second)."""

    text: str = ""
    small: str = ""
    place: int | None = None


@dataclass(frozen=True)
class SheetColumn:
    """A heading and an entry for each row; neighbours with the same second heading share it."""

    heading: str
    entries: tuple[Entry, ...]
    second_heading: str = ""


def number_text(value: float, decimals: int, *, signed: bool = False) -> str:
    """The number with a real minus sign; nothing for NaN."""
    if math.isnan(value):
        return ""
    text = f"{round(value, decimals) + 0.0:{'+' if signed else ''}.{decimals}f}"
    return text.replace("-", MINUS)


def number_entries(values: "pd.Series[float]", decimals: int, *, signed: bool = False) -> tuple[Entry, ...]:
    """An entry for each number, without a place."""
    return tuple(Entry(number_text(value, decimals, signed=signed)) for value in values)


def places(
    frame: pd.DataFrame, column: str, decimals: int, better: Better, unranked: Collection[str]
) -> list[int | None]:
    """Place of each row's model within its dataset: 1 for the best and, of three or more, 2 for the second.

    Numbers that are printed alike share a place. The models `unranked` take none: the rows of real images.
    """
    sign = 1 if better == "lower" else -1
    values = sign * frame[column].round(decimals)
    competing = frame[column].notna() & ~frame["model"].isin(unranked)
    ranks: list[int | None] = [None] * len(frame)
    for dataset in frame["dataset"].unique():
        model_values = values[competing & (frame["dataset"] == dataset)]
        n_places = 2 if len(model_values) > 2 else 1
        best = sorted(model_values.unique())[:n_places]
        for row, value in model_values.items():
            if value in best:
                ranks[frame.index.get_loc(row)] = best.index(value) + 1
    return ranks
