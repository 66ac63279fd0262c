"""Columns of means over patients: with an interval, and ranked only by comparisons in pairs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from segguided.config.reserved import MACRO
from segguided.evaluation.comparisons import Standing, paired_difference, standing
from segguided.evaluation.csv_files import CsvValue
from segguided.evaluation.intervals import Interval, mean_interval, within_patient_interval
from segguided.evaluation.records import Record
from segguided.tables.columns import RowSource, TableColumn
from segguided.tables.entries import Better, Entry, SheetColumn, number_text
from segguided.tables.inputs import over_seeds
from segguided.tables.units import UnitValues, check_same_units, unit_values

BEST = "best"
SECOND = "second"
PLACES = {BEST: 1, SECOND: 2}
ONE_PATIENT = Standing(None, None, "one test patient says nothing about others")
MOST_LISTED = 4  # patients; of more, the reader sees the lowest and the highest value


@dataclass(frozen=True)
class PatientsMean(TableColumn):
    """A mean over patients, with its interval, or the patients' values where there is no interval that holds.

    The records hold the mean under `key` and the values of its patients below that ("{key}.patient.NAME"; or
    "{key}.block.0" of blocks of one patient's slices). In the keys, {name} is replaced by a class or "macro".
    With `better`, the best model is in bold, and the second best underlined, where the difference to every
    other model stands (`evaluation/comparisons.py`).
    """

    column: str  # in the CSV
    key: str  # in the records of models
    real_key: str | None = None  # in the record of the real images; None: their row has no value
    heading: str = "mean of patients"
    second_heading: str = ""  # above the heading; neighbours share it
    decimals: int = 3
    factor: float = 1  # the reader sees the value times this
    better: Better | None = None
    lowest: float = 0.0  # the bounds of a patient's value; infinite: there is no interval
    highest: float = 1.0
    # More is no better: models are compared as if a patient's higher value were this.
    enough: float = math.inf
    by_class: bool = False  # whether the Markdown has a table of its values for each class
    note: str = ""

    @property
    def label(self) -> str:
        """The name that the reader sees."""
        return f"{self.second_heading}, {self.heading}" if self.second_heading else self.heading

    @property
    def csv_columns(self) -> list[str]:
        """Mean, interval, deviation over seeds, the patients' values; place, and why none is the best."""
        endings = ["", "_low", "_high", "_std", "_patient_values"]
        if self.better:
            endings += ["_standing", "_no_best"]
        return [self.column + ending for ending in endings]

    def values(self, source: RowSource) -> Mapping[str, CsvValue | None]:
        """Mean and interval over seeds and patients; the patients' values are means over seeds."""
        key = self.real_key if source.is_real else self.key
        if key is None or (source.name != MACRO and "{name}" not in key):
            return {}
        key = key.format(name=source.name)
        mean, deviation = over_seeds(source.records, key)
        units = unit_values(source.records, key)
        interval = self.interval(units)
        values: dict[str, CsvValue | None] = {
            self.column: mean,
            f"{self.column}_low": interval.low if interval else math.nan,
            f"{self.column}_high": interval.high if interval else math.nan,
            f"{self.column}_std": deviation,
            f"{self.column}_patient_values": _joined(units.values_NP.mean(axis=0)),
        }
        if self.column in source.standings and source.name == MACRO and not source.is_real:
            values |= self._place(source.standings[self.column], str(source.records[0]["model"]))
        return values

    def _place(self, found: Standing, model: str) -> dict[str, CsvValue | None]:
        places = {found.best: BEST, found.second: SECOND}
        return {
            f"{self.column}_standing": places.get(model),
            f"{self.column}_no_best": found.reason or None,
        }

    def interval(self, units: UnitValues) -> Interval | None:
        """Over patients or, of one patient, over the blocks of its slices; None where none holds."""
        if units.of_one_patient:
            found = within_patient_interval(units.values_NP.mean(axis=0)) if len(units.names) > 1 else None
            return found and Interval(max(found.low, self.lowest), min(found.high, self.highest))
        return mean_interval(units.values_NP, self.lowest, self.highest)

    def units_of(self, records_of_models: Mapping[str, Sequence[Record]]) -> dict[str, UnitValues]:
        """The values of each model of one dataset, on the same patients, none above `enough`."""
        key = self.key.format(name=MACRO)
        units = {model: unit_values(records, key) for model, records in records_of_models.items()}
        check_same_units(list(units.values()), self.column)
        return {
            model: replace(of_model, values_NP=np.minimum(of_model.values_NP, self.enough))
            for model, of_model in units.items()
        }

    def standing(self, records_of_models: Mapping[str, Sequence[Record]]) -> Standing | None:
        """Which of one dataset's models is best by evidence; None where the column has no best."""
        if not self.better or not records_of_models:
            return None
        units = self.units_of(records_of_models)
        if any(of_model.of_one_patient for of_model in units.values()):
            return ONE_PATIENT
        values = {model: of_model.values_NP for model, of_model in units.items()}
        return standing(values, higher_is_better=self.better == "higher")

    def shown(self, frame: pd.DataFrame, real_row: str) -> list[SheetColumn]:
        """Its values with small text beside them; places are those of the CSV."""
        several_seeds = bool(frame["seeds"].max() > 1)
        entries = [
            self.entry(row, self._shown_place(row), several_seeds=several_seeds)
            for _, row in frame.iterrows()
        ]
        return [SheetColumn(self.heading, tuple(entries), self.second_heading)]

    def _shown_place(self, row: "pd.Series[float]") -> int | None:
        return PLACES.get(str(row[f"{self.column}_standing"])) if self.better else None

    def entry(self, row: "pd.Series[float]", place: int | None = None, *, several_seeds: bool) -> Entry:
        """The mean and, small, its deviation and interval: `± 0.002 [0.880, 0.921]`."""
        value = number_text(self.factor * row[self.column], self.decimals)
        deviation = number_text(self.factor * row[f"{self.column}_std"], self.decimals)
        spread = f"± {deviation}" if deviation and several_seeds else ""
        interval = interval_text(row, self.column, self.decimals, self.factor)
        small = [spread, interval or self._patients_text(row)]
        return Entry(value, " ".join(text for text in small if text), place)

    def _patients_text(self, row: "pd.Series[float]") -> str:
        """The values of several patients, from lowest to highest; of many, the lowest and the highest."""
        joined = row[f"{self.column}_patient_values"]
        values = sorted(float(text) for text in str(joined).split("; ") if text) if pd.notna(joined) else []
        texts = [number_text(self.factor * value, self.decimals) for value in values]
        if len(texts) < 2:
            return ""
        return f"({', '.join(texts)})" if len(texts) <= MOST_LISTED else f"({texts[0]}…{texts[-1]})"


@dataclass(frozen=True)
class CeilingDifference(TableColumn):
    """A mean over patients minus the ceiling's, in pairs, with its interval."""

    mean: PatientsMean  # of the models; its real images are the ceiling
    ceiling_key: str  # of the ceiling's mean, in the records of models
    heading: str = "− ceiling"
    note: str = ""

    @property
    def csv_columns(self) -> list[str]:
        """The difference and its interval."""
        return [f"{self.mean.column}_minus_ceiling{ending}" for ending in ("", "_low", "_high")]

    def values(self, source: RowSource) -> Mapping[str, CsvValue | None]:
        """Of the models alone; no interval where there is one patient."""
        if source.is_real:
            return {}
        units = unit_values(source.records, self.mean.key.format(name=source.name))
        ceiling = unit_values(source.records, self.ceiling_key.format(name=source.name))
        check_same_units([units, ceiling], self.mean.column)
        difference = paired_difference(units.values_NP, ceiling.values_NP)
        interval = None if units.of_one_patient else difference.interval
        limits = (interval.low, interval.high) if interval else (math.nan, math.nan)
        return dict(zip(self.csv_columns, (difference.mean, *limits), strict=True))

    def shown(self, frame: pd.DataFrame, real_row: str) -> list[SheetColumn]:
        """The difference and, small, its interval."""
        column = self.csv_columns[0]
        decimals = self.mean.decimals
        entries = [
            Entry(number_text(row[column], decimals, signed=True), interval_text(row, column, decimals))
            for _, row in frame.iterrows()
        ]
        return [SheetColumn(self.heading, tuple(entries), self.mean.second_heading)]


def interval_text(row: "pd.Series[float]", column: str, decimals: int, factor: float = 1) -> str:
    """`[0.880, 0.921]`; nothing where there is no interval."""
    low = number_text(factor * row[f"{column}_low"], decimals)
    high = number_text(factor * row[f"{column}_high"], decimals)
    return f"[{low}, {high}]" if low else ""


def _joined(values_P: np.ndarray) -> str | None:
    """The values, undefined ones empty, in the order of the patients' names; None where none is defined."""
    if np.isnan(values_P).all():
        return None
    return "; ".join("" if math.isnan(value) else repr(float(value)) for value in values_P)
