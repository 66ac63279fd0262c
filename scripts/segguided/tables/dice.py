"""Tables 1 and 2 from the records: a tidy frame of numbers, one row a dataset, model and class (or macro)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from segguided.config.reserved import MACRO, REAL
from segguided.evaluation.records import Record
from segguided.tables.inputs import (
    PaperValues,
    TableDataset,
    TableModel,
    TableSettings,
    group_records,
    over_seeds,
    training_cells,
    value_of,
)

CEILING_ROW = "real (ceiling)"


@dataclass(frozen=True)
class Measure:
    """One Dice of a table: its column, where the records hold it and how it is written."""

    column: str
    comparison: str
    label: str


@dataclass(frozen=True)
class Layout:
    """What one table shows; the ceiling stands in the column of the first measure."""

    number: int
    title: str
    evaluation: str
    measures: tuple[Measure, ...]


LAYOUTS = {
    1: Layout(
        1,
        "faithfulness of generated images to their masks",
        "faithfulness",
        (
            Measure("dice_mask", "mask", "Dice(m_gen, m)"),
            Measure("dice_real", "real", "Dice(m_gen, m_real)"),
        ),
    ),
    2: Layout(
        2,
        "quality: Dice on real test images of a segmenter trained on generated images",
        "quality",
        (Measure("dice", "model", "Dice"),),
    ),
}


def make_frame(
    number: int, records: Sequence[Record], settings: TableSettings, paper: PaperValues
) -> pd.DataFrame:
    """The table's numbers, NaN where there is none; rows in the order of the settings, the ceiling last.

    Over several seeds a value is the mean, `_std` the sample standard deviation and an interval bound the
    mean of the seeds' bounds. Raises ValueError for a record that is missing, unknown or lacks a value, and
    where a dataset's means are not over the same classes.
    """
    layout, grouped = LAYOUTS[number], group_records(records, settings)
    for dataset in settings.datasets:
        _check_classes(layout, records, dataset)
    ceiling = TableModel(name=REAL, title=CEILING_ROW)
    rows = [
        _row(layout, grouped[dataset.name, model.name], dataset, model, name, paper)
        for dataset in settings.datasets
        for model in (*settings.models, ceiling)
        for name in (MACRO, *dataset.classes)
    ]
    return pd.DataFrame(rows, columns=_columns(layout))


def _check_classes(layout: Layout, records: Sequence[Record], dataset: TableDataset) -> None:
    """Every mean of a dataset is over the classes that the test masks hold: those with a ceiling."""
    first: tuple[Record, list[str]] | None = None
    for record in records:
        if record["dataset"] != dataset.name:
            continue
        ceilings = {name: f"{layout.evaluation}.ceiling.dice.{name}" for name in dataset.classes}
        held = [name for name, key in ceilings.items() if value_of(record, key) is not None]
        first = first or (record, held)
        if held != first[1]:
            raise ValueError(
                f"{dataset.name}: the record of {record['model']}, seed {record['seed']}, counts the classes "
                f"{', '.join(held)}, that of {first[0]['model']}, seed {first[0]['seed']}, "
                f"{', '.join(first[1])}; they were measured on other test masks: evaluate both again"
            )


def _columns(layout: Layout) -> list[str]:
    parts = ("", "_low", "_high", "_std", "_slice_mean")
    against = (
        "_ratio_to_ceiling",
        "_ratio_to_ceiling_low",
        "_ratio_to_ceiling_high",
        "_paper",
        "_minus_paper",
    )
    of_measures = [m.column + part for m in layout.measures for part in (*parts, *against)]
    about = ["training_tflop", "training_images", "seeds", "patients", "slices", "interval_unit"]
    return ["dataset", "model", "title", "class", *of_measures, *about]


def _row(
    layout: Layout,
    records: list[Record],
    dataset: TableDataset,
    model: TableModel,
    name: str,
    paper: PaperValues,
) -> dict[str, Any]:
    is_ceiling = model.name == REAL
    row: dict[str, Any] = {
        "dataset": dataset.name,
        "model": CEILING_ROW if is_ceiling else model.name,
        "title": model.title,
        "class": name,
        "seeds": len(records),
        **training_cells(records),
    }
    for key in ("patients", "slices", "interval_unit"):
        row[key] = value_of(records[0], f"{layout.evaluation}.{key}")
    for measure in layout.measures[:1] if is_ceiling else layout.measures:
        prefix = f"{layout.evaluation}.{'ceiling' if is_ceiling else measure.comparison}"
        row |= _measure_cells(records, prefix, measure.column, name, is_ceiling=is_ceiling)
    if name == MACRO and dataset.paper_column is not None:
        row |= _beside_paper(layout, row, dataset.paper_column, model.name, paper)
    return row


def _measure_cells(
    records: list[Record], prefix: str, column: str, name: str, *, is_ceiling: bool
) -> dict[str, float]:
    statistics = {"": "dice", "_low": "dice_low", "_high": "dice_high", "_slice_mean": "slice_mean"}
    if not is_ceiling:
        statistics |= {f"_ratio_to_ceiling{end}": f"ratio{end}" for end in ("", "_low", "_high")}
    cells = {}
    for part, statistic in statistics.items():
        cells[column + part], std = over_seeds(records, f"{prefix}.{statistic}.{name}")
        if statistic == "dice":
            cells[column + "_std"] = std
    return cells


def _beside_paper(
    layout: Layout,
    row: dict[str, Any],
    paper_column: str,
    model: str,
    paper: PaperValues,
) -> dict[str, float]:
    cells = {}
    for measure in layout.measures:
        published = paper.get((layout.number, paper_column, model, measure.column))
        if published is not None:
            cells[measure.column + "_paper"] = published
            cells[measure.column + "_minus_paper"] = row[measure.column] - published
    return cells
