"""What a cell of a table shows: a number, small text beside it, and its place among the models."""

import math
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
