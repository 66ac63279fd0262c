"""A table's numbers from the records: a row for each dataset, model and, where they count, class."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from segguided.config.reserved import MACRO, REAL
from segguided.evaluation.comparisons import Standing
from segguided.evaluation.csv_files import CsvValue
from segguided.evaluation.records import Record
from segguided.tables.columns import RowSource
from segguided.tables.inputs import (
    PaperValues,
    TableDataset,
    TableModel,
    TableSettings,
    group_records,
    value_of,
)
from segguided.tables.layouts import Layout


def make_frame(
    layout: Layout, records: Sequence[Record], settings: TableSettings, paper: PaperValues
) -> pd.DataFrame:
    """The table's numbers, NaN where there is none; rows in the order of the settings, the real images last.

    Over several seeds a value is the mean and `_std` the sample standard deviation. Raises ValueError for a
    record that is missing, unknown or lacks a value, and where a dataset's means are not over the same
    classes or patients.
    """
    grouped = group_records(records, settings)
    if layout.by_class:
        for dataset in settings.datasets:
            _check_classes(layout, records, dataset)
    real = TableModel(name=REAL, title=layout.real_row)
    rows: list[dict[str, CsvValue | None]] = []
    for dataset in settings.datasets:
        of_models = {model.name: grouped[dataset.name, model.name] for model in settings.models}
        standings = _standings(layout, of_models)
        for model in (*settings.models, real):
            model_records = grouped[dataset.name, model.name]
            rows += _rows(layout, model_records, dataset, model, paper, standings)
    identity = ["dataset", "model", "title", *(["class"] if layout.by_class else [])]
    values = [name for column in layout.columns for name in column.csv_columns]
    return pd.DataFrame(rows, columns=[*identity, *values, "note"])


def _standings(layout: Layout, of_models: Mapping[str, Sequence[Record]]) -> dict[str, Standing]:
    """Which of one dataset's models stand out, by column."""
    found = {column.column: column.standing(of_models) for column in layout.ranked}
    return {column: standing for column, standing in found.items() if standing}


def _check_classes(layout: Layout, records: Sequence[Record], dataset: TableDataset) -> None:
    """Every mean of a dataset is over the classes that the test masks hold: those with a ceiling."""
    first: tuple[Record, list[str]] | None = None
    for record in records:
        if record["dataset"] != dataset.name:
            continue
        measured = [name for name in dataset.classes if _ceiling(layout, record, name) is not None]
        first = first or (record, measured)
        if measured != first[1]:
            raise ValueError(
                f"{dataset.name}: the record of {record['model']}, seed {record['seed']}, counts the classes "
                f"{', '.join(measured)}, that of {first[0]['model']}, seed {first[0]['seed']}, "
                f"{', '.join(first[1])}; they were measured on other test masks: evaluate both again"
            )


def _ceiling(layout: Layout, record: Record, name: str) -> CsvValue | None:
    key = layout.ceiling.real_key
    assert key is not None, "the ceiling is what the real images have"
    return value_of(record, key.format(name=name))


def _rows(
    layout: Layout,
    records: Sequence[Record],
    dataset: TableDataset,
    model: TableModel,
    paper: PaperValues,
    standings: Mapping[str, Standing],
) -> Iterator[dict[str, CsvValue | None]]:
    """The row of the mean over classes and, where the layout has them, those of the classes."""
    is_real = model.name == REAL
    published = _published(layout, dataset, model, paper)
    names = (MACRO, *dataset.classes) if layout.by_class else (MACRO,)
    for name in names:
        of_paper = published if name == MACRO else {}
        source = RowSource(
            records=records,
            name=name,
            is_real=is_real,
            published=of_paper,
            is_papers_data=dataset.is_papers_data,
            standings=standings,
        )
        row: dict[str, CsvValue | None] = {
            "dataset": dataset.name,
            "model": layout.real_row if is_real else model.name,
            "title": model.title,
            "class": name,
            "note": "; ".join(model.notes) or None,
        }
        for column in layout.columns:
            row |= column.values(source)
        yield row


def _published(
    layout: Layout, dataset: TableDataset, model: TableModel, paper: PaperValues
) -> dict[str, float]:
    """The paper's values of one table, dataset and model, by measure."""
    row = (layout.number, dataset.paper_column, model.name)
    return {
        measure: value
        for (number, paper_column, name, measure), value in paper.items()
        if (number, paper_column, name) == row
    }
