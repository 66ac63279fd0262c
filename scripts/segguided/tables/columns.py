"""The kinds of columns of a table: what each takes from the records, and what a reader sees of it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from segguided.config.reserved import MACRO
from segguided.evaluation.comparisons import Standing
from segguided.evaluation.csv_files import CsvValue
from segguided.evaluation.records import Record
from segguided.tables.entries import Entry, SheetColumn, number_entries, number_text
from segguided.tables.inputs import over_seeds, value_of

FLOP_UNITS = {"EFLOP": 1e-6, "PFLOP": 1e-3, "TFLOP": 1.0, "GFLOP": 1e3}  # of one TFLOP
LEAST_FLOP = 0.1  # of its unit, for the cheapest model
IMAGE_UNITS = {"M ": 1e6, "k ": 1e3}


@dataclass(frozen=True)
class RowSource:
    """What the values of one row are taken from."""

    records: Sequence[Record]  # of one dataset and model, one for each seed
    name: str  # of a class, or MACRO
    is_real: bool  # whether the records are those of the real images
    published: Mapping[str, float]  # the paper's values for this row, by measure
    is_papers_data: bool = False  # whether the paper's values are for the same data
    standings: Mapping[str, Standing] = field(default_factory=dict)  # of the dataset's models, by column


class TableColumn(ABC):
    """One entry of a layout. It may be several columns of the CSV, and none or several for the reader."""

    note: str = ""  # below the table, where the reader sees the column

    @property
    @abstractmethod
    def csv_columns(self) -> list[str]:
        """Its columns in the CSV."""

    @abstractmethod
    def values(self, source: RowSource) -> Mapping[str, CsvValue | None]:
        """What one row holds in these columns; a column that is left out has no value there."""

    def shown(self, frame: pd.DataFrame, real_row: str) -> list[SheetColumn]:
        """What a reader sees, from the rows that are shown. `real_row` is the model that takes no place."""
        return []


@dataclass(frozen=True)
class Measure(TableColumn):
    """A statistic that the records hold; over several seeds it is the mean.

    In the keys, {name} is replaced by a class or "macro"; without {name}, only the macro row has a value.
    """

    column: str  # in the CSV
    key: str  # in the records of models
    real_key: str | None = None  # in the record of the real images; None: their row has no value
    heading: str = ""  # "": the statistic is in the CSV alone
    second_heading: str = ""  # above the heading; neighbours share it
    decimals: int = 4
    factor: float = 1  # the reader sees the value times this
    seed_deviation: bool = True  # whether the deviation over seeds is a column too
    # A deviation within each record, such as over subsets: the reader sees it where there is one seed.
    deviation_column: str = ""
    deviation_key: str = ""
    by_class: bool = False  # whether the Markdown has a table of its values for each class
    note: str = ""

    @property
    def label(self) -> str:
        """The name that the reader sees."""
        return self.second_heading or self.heading

    @property
    def csv_columns(self) -> list[str]:
        """Value, deviation over seeds, deviation within a record."""
        columns = [self.column]
        if self.seed_deviation:
            columns.append(f"{self.column}_std")
        if self.deviation_column:
            columns.append(self.deviation_column)
        return columns

    def values(self, source: RowSource) -> dict[str, float]:
        """Means over seeds and, of the value itself, the deviation."""
        key = self.real_key if source.is_real else self.key
        if key is None or (source.name != MACRO and "{name}" not in key):
            return {}
        mean, deviation = over_seeds(source.records, key.format(name=source.name))
        values = {self.column: mean}
        if self.seed_deviation:
            values[f"{self.column}_std"] = deviation
        if self.deviation_column:
            values[self.deviation_column], _ = over_seeds(source.records, self.deviation_key)
        return values

    def shown(self, frame: pd.DataFrame, real_row: str) -> list[SheetColumn]:
        """Its values with small text beside them. None is in bold: `patient_columns.py` ranks models."""
        if not self.heading:
            return []
        several_seeds = bool(frame["seeds"].max() > 1)
        entries = [self.entry(row, several_seeds=several_seeds) for _, row in frame.iterrows()]
        return [SheetColumn(self.heading, tuple(entries), self.second_heading)]

    def entry(self, row: "pd.Series[float]", *, several_seeds: bool) -> Entry:
        """The value and, small, its deviation: `± 0.0021`."""
        value = number_text(self.factor * row[self.column], self.decimals)
        return Entry(value, self._deviation_text(row, several_seeds))

    def _deviation_text(self, row: "pd.Series[float]", several_seeds: bool) -> str:
        column = f"{self.column}_std" if self.seed_deviation else ""
        if self.deviation_column and not several_seeds:
            column = self.deviation_column
        deviation = self.factor * row[column] if column else math.nan
        return "" if math.isnan(deviation) else f"± {deviation:.{self.decimals}f}"


@dataclass(frozen=True)
class Published(TableColumn):
    """The paper's value of a measure, where it has one, and ours minus it, where the data are the paper's."""

    measure: Measure

    @property
    def csv_columns(self) -> list[str]:
        """The value and the difference."""
        return [f"{self.measure.column}_paper", f"{self.measure.column}_minus_paper"]

    def values(self, source: RowSource) -> Mapping[str, CsvValue | None]:
        """The value, where the paper has one for the row, and the difference, where the data are the same."""
        column = self.measure.column
        published = source.published.get(column)
        ours = self.measure.values(source).get(column)
        if published is None or ours is None:
            return {}
        difference = ours - published if source.is_papers_data else math.nan
        return {f"{column}_paper": published, f"{column}_minus_paper": difference}

    def shown(self, frame: pd.DataFrame, real_row: str) -> list[SheetColumn]:
        """Both below the measure's own second heading."""
        value, difference = self.csv_columns
        if frame[value].isna().all():
            return []
        decimals = self.measure.decimals
        second_heading = self.measure.second_heading
        columns = [SheetColumn("paper", number_entries(frame[value], decimals), second_heading)]
        if frame[difference].notna().any():
            entries = number_entries(frame[difference], decimals, signed=True)
            columns.append(SheetColumn("difference", entries, second_heading))
        return columns


@dataclass(frozen=True)
class Fact(TableColumn):
    """What a row's numbers are based on: a whole number or a word, equal for all seeds."""

    column: str
    key: str
    heading: str = ""  # "": in the CSV alone

    @property
    def csv_columns(self) -> list[str]:
        """The column."""
        return [self.column]

    def values(self, source: RowSource) -> Mapping[str, CsvValue | None]:
        """What the first record holds."""
        return {self.column: value_of(source.records[0], self.key)}

    def shown(self, frame: pd.DataFrame, real_row: str) -> list[SheetColumn]:
        """Whole numbers, with a comma between thousands."""
        if not self.heading:
            return []
        return [SheetColumn(self.heading, tuple(Entry(f"{value:,}") for value in frame[self.column]))]


@dataclass(frozen=True)
class SeedCount(TableColumn):
    """How many seeds a row's values are the means of."""

    @property
    def csv_columns(self) -> list[str]:
        """The column."""
        return ["seeds"]

    def values(self, source: RowSource) -> Mapping[str, CsvValue | None]:
        """How many records the row has."""
        return {"seeds": len(source.records)}


@dataclass(frozen=True)
class TrainingCost(TableColumn):
    """Operations of a model's training and how many images it was shown, the mean over seeds."""

    note: str = ""

    @property
    def csv_columns(self) -> list[str]:
        """Operations in TFLOP, and images."""
        return ["training_tflop", "training_images"]

    def values(self, source: RowSource) -> Mapping[str, CsvValue | None]:
        """Both; none for the real images and for a model that was trained elsewhere."""
        if any("training.flops" not in record for record in source.records):
            return {}
        flop, _ = over_seeds(source.records, "training.flops")
        images, _ = over_seeds(source.records, "training.images")
        return {"training_tflop": flop / 1e12, "training_images": images}

    def shown(self, frame: pd.DataFrame, real_row: str) -> list[SheetColumn]:
        """Operations, images in brackets; the largest unit that gives each model LEAST_FLOP or more."""
        tflop = frame["training_tflop"]
        if tflop.isna().all():
            return []
        large_enough = [unit for unit, factor in FLOP_UNITS.items() if tflop.min() * factor >= LEAST_FLOP]
        unit = large_enough[0] if large_enough else "GFLOP"
        entries = [
            Entry(number_text(value * FLOP_UNITS[unit], 1), _images_text(images))
            for value, images in zip(tflop, frame["training_images"], strict=True)
        ]
        return [SheetColumn(f"training, {unit}", tuple(entries))]


def _images_text(count: float) -> str:
    if math.isnan(count):
        return ""
    for unit, factor in IMAGE_UNITS.items():
        if count >= factor:
            return f"({count / factor:.1f} {unit}images)"
    return f"({count:.0f} images)"
