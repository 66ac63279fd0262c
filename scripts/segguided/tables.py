"""Tables 1 and 2 from the records: a tidy frame of numbers, one row a dataset, model and class (or macro)."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from segguided.config.base import Settings
from segguided.records import MACRO, Record

REAL = "real"  # the model name of the records that hold the real data alone
CEILING_ROW = "real (ceiling)"
PAPER_KEYS = ["table", "paper_column", "model", "measure"]
DECIMALS = 4
Cell = float | int | str


class TableDataset(Settings):
    """One dataset's rows: its classes in order, and whose published values stand beside."""

    name: str
    classes: tuple[str, ...]
    paper_column: str | None = None


class TableSettings(Settings):
    """Datasets and models of the grid, in the order of the rows."""

    datasets: tuple[TableDataset, ...]  # a list, because JSON with sorted keys would reorder a mapping
    models: tuple[str, ...]


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
TableNumber = Literal[1, 2]


def read_records(paths: Sequence[Path]) -> list[Record]:
    """The records in JSON files. ValueError, naming the file, for no record or one that comes twice."""
    records: dict[tuple[Any, ...], Record] = {}
    for path in paths:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON ({error}); delete it and evaluate again") from error
        if not isinstance(record, dict) or not {"dataset", "model", "seed"} <= record.keys():
            raise ValueError(
                f"{path} is no record: expected the keys dataset, model and seed; evaluate again"
            )
        key = (record["dataset"], record["model"], record["seed"])
        if key in records:
            raise ValueError(f"{path}: a second record of {' × '.join(map(str, key))}; name each record once")
        records[key] = record
    return list(records.values())


def read_paper_values(path: Path) -> dict[tuple[int, str, str, str], float]:
    """Published values by table, paper column, model and measure."""
    frame = pd.read_csv(path, sep="\t", dtype={"table": int, "value": float})
    if list(frame.columns) != [*PAPER_KEYS, "value"] or frame.duplicated(PAPER_KEYS).any():
        raise ValueError(f"{path}: expected columns {', '.join(PAPER_KEYS)}, value and no key twice")
    return {(t, c, m, e): v for t, c, m, e, v in frame.itertuples(index=False, name=None)}


def make_frame(
    number: TableNumber,
    records: Sequence[Record],
    settings: TableSettings,
    paper: dict[tuple[int, str, str, str], float],
) -> pd.DataFrame:
    """The table's numbers, NaN where there is none; rows in the order of the settings, the ceiling last.

    Over several seeds a value is the mean, `_std` the sample standard deviation and an interval bound the
    mean of the seeds' bounds. Raises ValueError for a record that is missing, unknown or lacks a value.
    """
    layout = LAYOUTS[number]
    models = [model for model in settings.models if model != REAL]
    grouped = _group(records, settings, [*models, REAL])
    rows = []
    for dataset in settings.datasets:
        for model in [*models, REAL]:
            for name in (MACRO, *dataset.classes):
                row = _row(layout, grouped[dataset.name, model], dataset.name, model, name)
                if name == MACRO and dataset.paper_column is not None:
                    row |= _beside_paper(layout, row, dataset.paper_column, model, paper)
                rows.append(row)
    return pd.DataFrame(rows, columns=_columns(layout))


def to_csv(frame: pd.DataFrame) -> str:
    """CSV with four decimals and nothing for an undefined number: equal numbers give equal bytes."""
    text: str = frame.map(_fixed).to_csv(index=False, lineterminator="\n")
    return text


def _fixed(value: Cell) -> Cell:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{round(value, DECIMALS) + 0.0:.{DECIMALS}f}"  # + 0.0: never -0.0000


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
    return ["dataset", "model", "class", *of_measures, "seeds", "patients", "slices", "interval_unit"]


def _group(
    records: Sequence[Record], settings: TableSettings, models: Sequence[str]
) -> dict[tuple[str, str], list[Record]]:
    """Records of each dataset and model, by seed. The models of a dataset must share their seeds."""
    grouped: dict[tuple[Any, Any], list[Record]] = {
        (d.name, m): [] for d in settings.datasets for m in models
    }
    for record in sorted(records, key=lambda record: str(record["seed"])):
        key = (record["dataset"], record["model"])
        if key not in grouped:
            raise ValueError(f"record of {key[0]} × {key[1]} is not of this table's datasets × models")
        grouped[key].append(record)
    for (dataset, model), found in grouped.items():
        if not found:
            raise ValueError(f"no record of {dataset} × {model}; evaluate it, or take it out of the grid")
        seeds, expected = ([r["seed"] for r in grouped[dataset, m]] for m in (model, models[0]))
        if model != REAL and seeds != expected:
            raise ValueError(
                f"{dataset} × {model} has seeds {seeds}, but {models[0]} {expected}; evaluate the same"
            )
    return grouped


def _row(layout: Layout, records: list[Record], dataset: str, model: str, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "dataset": dataset,
        "model": CEILING_ROW if model == REAL else model,
        "class": name,
        "seeds": len(records),
    }
    for key in ("patients", "slices", "interval_unit"):
        row[key] = _value(records[0], f"{layout.evaluation}.{key}")
    measures = layout.measures[:1] if model == REAL else layout.measures
    for measure in measures:
        prefix = f"{layout.evaluation}.{'ceiling' if model == REAL else measure.comparison}"
        row |= _measure_cells(records, prefix, measure.column, name, is_ceiling=model == REAL)
    return row


def _measure_cells(
    records: list[Record], prefix: str, column: str, name: str, *, is_ceiling: bool
) -> dict[str, float]:
    statistics = {"": "dice", "_low": "dice_low", "_high": "dice_high", "_slice_mean": "slice_mean"}
    if not is_ceiling:
        statistics |= {f"_ratio_to_ceiling{end}": f"ratio{end}" for end in ("", "_low", "_high")}
    cells = {}
    for part, statistic in statistics.items():
        over_seeds = pd.Series([_value(r, f"{prefix}.{statistic}.{name}") for r in records], dtype=float)
        cells[column + part] = float(over_seeds.mean())
        if statistic == "dice":
            cells[column + "_std"] = float(over_seeds.std(ddof=1))  # NaN for one seed
    return cells


def _beside_paper(
    layout: Layout,
    row: dict[str, Any],
    paper_column: str,
    model: str,
    paper: dict[tuple[int, str, str, str], float],
) -> dict[str, float]:
    cells = {}
    for measure in layout.measures:
        published = paper.get((layout.number, paper_column, model, measure.column))
        if published is not None:
            cells[measure.column + "_paper"] = published
            cells[measure.column + "_minus_paper"] = row[measure.column] - published
    return cells


def _value(record: Record, key: str) -> Cell | None:
    if key not in record:
        raise ValueError(
            f"record of {record['dataset']} × {record['model']}, seed {record['seed']}, has no {key}; "
            "it comes from another version or another set of classes: evaluate again"
        )
    return record[key]
