"""What tables are made from: settings, evaluation records and published values, all checked."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from segguided.config.base import Settings
from segguided.config.reserved import REAL
from segguided.evaluation.csv_files import CsvValue
from segguided.evaluation.records import Record
from segguided.seals import read_sealed
from segguided.text_tables import read_table

PAPER_KEYS = ["table", "paper_column", "model", "measure"]
PaperValues = dict[tuple[int, str, str, str], float]


class TableDataset(Settings):
    """One dataset's rows: its classes in order, and the paper's column that is beside its values."""

    name: str
    classes: tuple[str, ...]
    titles: Mapping[str, str] = Field(default_factory=dict)  # of the classes that have one beside their names
    paper_column: str | None = None
    is_papers_data: bool = False  # else the paper's values are for other data


class TableModel(Settings):
    """One row of each dataset: the model's name in the records, and what the reader sees of it."""

    name: str
    title: str
    notes: tuple[str, ...] = ()  # footnotes of its rows


class TableSettings(Settings):
    """Datasets and models of the grid, in the order of the rows."""

    datasets: tuple[TableDataset, ...]  # a list, because JSON with sorted keys would reorder a mapping
    models: tuple[TableModel, ...]

    def with_class_titles(
        self, frame: pd.DataFrame, choose: Callable[[str, str], str] | None = None
    ) -> pd.DataFrame:
        """The frame as a reader is to see it: titles in its column `class`, if it has that, for names.

        `choose` is given title and name, and says which of the two is shown; None: the title.
        """
        if "class" not in frame:
            return frame
        titles = {
            (dataset.name, name): choose(title, name) if choose else title
            for dataset in self.datasets
            for name, title in dataset.titles.items()
        }
        pairs = zip(frame["dataset"], frame["class"], strict=True)
        return frame.assign(**{"class": [titles.get(pair, pair[1]) for pair in pairs]})


def read_records(paths: Sequence[Path]) -> list[Record]:
    """The records in JSON files. Raises ValueError for a file without a record, and for a repeated record."""
    records: dict[tuple[Any, ...], Record] = {}
    for path in paths:
        record = read_sealed(path)
        if not {"dataset", "model", "seed"} <= record.keys():
            raise ValueError(
                f"{path} is no record: expected the keys dataset, model and seed; evaluate again"
            )
        key = (record["dataset"], record["model"], record["seed"])
        if key in records:
            raise ValueError(f"{path}: a second record of {' × '.join(map(str, key))}; name each record once")
        records[key] = record
    return list(records.values())


def read_paper_values(path: Path) -> PaperValues:
    """Published values by table, paper column, model and measure."""
    table = read_table(path)
    if list(table.columns) != [*PAPER_KEYS, "value"]:
        raise ValueError(
            f"{path}: expected the columns {', '.join(PAPER_KEYS)} and value; correct the header"
        )
    values: PaperValues = {}
    for row in table.rows:
        try:
            key = (int(row["table"]), row["paper_column"], row["model"], row["measure"])
            value = float(row["value"])
        except ValueError as error:
            raise ValueError(
                f"{row.place}: expected a whole number in table and a number in value ({error}); correct it"
            ) from error
        if key in values:
            raise ValueError(f"{row.place}: {' × '.join(map(str, key))} appears twice; keep one of the rows")
        values[key] = value
    return values


def group_records(records: Sequence[Record], settings: TableSettings) -> dict[tuple[str, str], list[Record]]:
    """Records of each dataset and model, in the order of the seeds; REAL is the last model.

    Raises ValueError where a dataset and model has no record, and where a dataset's models differ in seeds.
    """
    models = [*(model.name for model in settings.models), REAL]
    pairs = [(dataset.name, model) for dataset in settings.datasets for model in models]
    grouped: dict[tuple[Any, Any], list[Record]] = {pair: [] for pair in pairs}
    for record in sorted(records, key=lambda record: str(record["seed"])):
        key = (record["dataset"], record["model"])
        if key not in grouped:
            raise ValueError(f"record of {key[0]} × {key[1]} is not of this table's datasets × models")
        grouped[key].append(record)
    for (dataset, model), model_records in grouped.items():
        if not model_records:
            raise ValueError(f"no record of {dataset} × {model}; evaluate it, or take it out of the grid")
        seeds = [record["seed"] for record in model_records]
        expected = [record["seed"] for record in grouped[dataset, models[0]]]
        if model != REAL and seeds != expected:
            raise ValueError(
                f"{dataset} × {model} has seeds {seeds}, but {models[0]} {expected}; evaluate the same"
            )
    return grouped


def value_of(record: Record, key: str) -> CsvValue | None:
    """What a record holds under a key. Raises ValueError where it lacks the key."""
    if key not in record:
        raise ValueError(
            f"record of {record['dataset']} × {record['model']}, seed {record['seed']}, has no {key}; "
            "it comes from another version or another set of classes: evaluate again"
        )
    return record[key]


def over_seeds(records: Sequence[Record], key: str) -> tuple[float, float]:
    """Mean and sample standard deviation of a value over seeds; of a single seed the deviation is NaN.

    Both are NaN where a seed lacks the value: they would be over other seeds than the values beside them.
    """
    values = pd.Series([value_of(record, key) for record in records], dtype=float)
    return float(values.mean(skipna=False)), float(values.std(ddof=1, skipna=False))
