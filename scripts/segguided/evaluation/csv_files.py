"""A table's numbers as CSV: equal numbers give equal bytes, and reading gives back what was written."""

import math
from pathlib import Path

import pandas as pd

from segguided.text_tables import read_table

CsvValue = float | int | str


def to_csv(frame: pd.DataFrame, decimals: int | None = 4) -> str:
    """CSV with a fixed number of decimals; an undefined number is an empty cell.

    decimals None: numbers are unrounded, so that a reader of the file rounds once, as its writer does.
    """

    def fixed(value: CsvValue) -> CsvValue:
        if not isinstance(value, float):
            return value
        if math.isnan(value):
            return ""
        if decimals is None:
            return repr(float(value))
        rounded = round(value, decimals) + 0.0  # + 0.0: never -0.0000
        return f"{rounded:.{decimals}f}"

    text: str = frame.map(fixed).to_csv(index=False, lineterminator="\n")
    return text


def read_csv(path: Path) -> pd.DataFrame:
    """The frame that `to_csv` wrote, NaN for an empty cell; a name such as NA stays a name.

    Raises ValueError for a file that is no such table or has no rows.
    """
    if not read_table(path, ",").rows:
        raise ValueError(f"{path}: expected a table with rows, but it has none; make it again")
    return pd.read_csv(path, keep_default_na=False, na_values=[""])
