"""The tables of ablation and sweeps: what changes from model to model, in a few measures of Tables 1 to 3."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from segguided.config.ablation import Sweep
from segguided.config.reserved import REAL
from segguided.evaluation.measures import HEADINGS, MEASURES, RATIO
from segguided.evaluation.records import Record
from segguided.evaluation.times import TimedTraining
from segguided.shown import markdown as escaped
from segguided.tables.inputs import TableDataset, TableSettings, group_records, over_seeds
from segguided.tables.pipes import pipe_table

DECIMALS = {"dice_over_ceiling": 3, "downstream_over_ceiling": 3, "kernel_unseen": 1, "spectrum_distance": 1}
FACTORS = {"kernel_segmenter": 1000.0}


def ablation_frame(
    records: Sequence[Record],
    settings: TableSettings,
    times: Mapping[tuple[str, str], TimedTraining],
) -> pd.DataFrame:
    """A row for each dataset and model, in the order of `settings`, means and deviations over seeds.

    Columns: dataset, model, title, seeds; each of MEASURES and its `…_std`; dice_over_ceiling_CLASS; and of
    one timed training: seconds until its images reach a share of the ceiling, whether they do, and the time
    as a multiple of the time of the model that all are timed against. `times` are by dataset and model.
    Raises ValueError where a record is missing.
    """
    groups = group_records(records, settings)
    rows = []
    for dataset in settings.datasets:
        for model in settings.models:
            found = groups[dataset.name, model.name]
            row = {"dataset": dataset.name, "model": model.name, "title": model.title, "seeds": len(found)}
            row |= measures(found) | _of_classes(found, dataset)
            rows.append(row | _time_entries(times[dataset.name, model.name]))
    return pd.DataFrame(rows)


def sweep_frame(records: Sequence[Record], settings: TableSettings, sweep: Sweep) -> pd.DataFrame:
    """A row for each dataset, line and value: columns dataset, line, value, model, chosen, and MEASURES.

    A row of the line `real`, without a value, is of the real held-out images, as far as they have a measure.
    """
    groups = group_records(records, settings)
    rows: list[dict[str, Any]] = []
    for dataset in settings.datasets:
        for line, points in sweep.lines.items():
            for point in points:
                row = {"dataset": dataset.name, "line": line, "value": point.value, "model": point.model}
                row["chosen"] = point.model == sweep.chosen
                rows.append(row | measures(groups[dataset.name, point.model]))
        real = groups[dataset.name, REAL]
        row = {"dataset": dataset.name, "line": REAL, "value": math.nan, "model": REAL, "chosen": False}
        rows.append(row | measures(real, MEASURES.keys() & _of_real(real)))
    return pd.DataFrame(rows)


def measures(records: Sequence[Record], names: Collection[str] = tuple(MEASURES)) -> dict[str, float]:
    """Mean and deviation over seeds of the measures `names`, by column; NaN of the others."""
    entries = {}
    for column, key in MEASURES.items():
        known = column in names
        mean, deviation = over_seeds(records, key) if known else (math.nan, math.nan)
        entries[column] = mean * FACTORS.get(column, 1.0)
        entries[f"{column}_std"] = deviation * FACTORS.get(column, 1.0)
    return entries


def _of_real(records: Sequence[Record]) -> set[str]:
    """The measures that the real images have, too."""
    return {column for column, key in MEASURES.items() if all(key in record for record in records)}


def _of_classes(records: Sequence[Record], dataset: TableDataset) -> dict[str, float]:
    return {
        f"dice_over_ceiling_{name}": over_seeds(records, f"{RATIO}.{name}")[0] for name in dataset.classes
    }


def _time_entries(time: TimedTraining) -> dict[str, float | bool]:
    return {
        "seconds_to_share": time.seconds,
        "reached_share": time.reached,
        "times_as_long": time.times_as_long,
    }


def ablation_markdown(frame: pd.DataFrame, settings: TableSettings, share: float) -> str:
    """A table for each dataset."""
    parts = [
        "# Ablation\n\nMeans over seeds. The last column: training time until Dice(m_gen, m) is "
        f"{share:g} of the ceiling, as a multiple of the time of the model that all are timed against. What "
        "the other columns are: Tables 1 to 3.\n"
    ]
    for dataset in settings.datasets:
        of_dataset = frame[frame["dataset"] == dataset.name]
        classes = [escaped(dataset.titles.get(name, name)) for name in dataset.classes]
        header = ["model", *HEADINGS.values(), *classes, "time"]
        parts.append(f"## {dataset.name}\n\n" + pipe_table(header, list(_cells(of_dataset, dataset))))
    return "\n".join(parts)


def _cells(frame: pd.DataFrame, dataset: TableDataset) -> Iterator[list[str]]:
    for row in frame.to_dict("records"):
        means = [_shown(row[column], DECIMALS.get(column, 2)) for column in MEASURES]
        classes = [_shown(row[f"dice_over_ceiling_{name}"], 2) for name in dataset.classes]
        yield [row["title"], *means, *classes, _time(row)]


def _time(row: Mapping[str, Any]) -> str:
    """The multiple, or `> 20 ×` of a training that was stopped there."""
    multiple = f"{row['times_as_long']:.1f} ×"
    return multiple if row["reached_share"] else f"> {row['times_as_long']:.0f} ×"


def _shown(value: float, decimals: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{decimals}f}"
