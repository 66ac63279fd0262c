"""Table 3 from the records: distances of each model's and of real held-out images to real test images."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from segguided.config.reserved import REAL
from segguided.evaluation.records import Record
from segguided.tables.inputs import (
    TableModel,
    TableSettings,
    group_records,
    over_seeds,
    training_cells,
    value_of,
)

TITLE = "distance of generated images to real test images, on features of the real-data segmenter"
REFERENCE_ROW = "real (held-out)"
COUNTS = ("n_generated", "n_real", "n_features", "kernel_subsets", "kernel_subset_size", "kernel_seed")
COLUMNS = [
    *("dataset", "model", "title", "frechet", "frechet_std", "kernel", "kernel_std", "kernel_subset_std"),
    *(*COUNTS, "training_tflop", "training_images", "seeds"),
]


def make_distance_frame(records: Sequence[Record], settings: TableSettings) -> pd.DataFrame:
    """One row a dataset and model, the reference last. `_std` is the deviation over seeds, NaN for one.

    `kernel_subset_std` is the deviation over one record's random subsets, the mean over seeds.
    """
    grouped = group_records(records, settings)
    reference = TableModel(name=REAL, title=REFERENCE_ROW)
    rows = [
        _row(grouped[dataset.name, model.name], dataset.name, model)
        for dataset in settings.datasets
        for model in (*settings.models, reference)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(records: list[Record], dataset: str, model: TableModel) -> dict[str, Any]:
    name = REFERENCE_ROW if model.name == REAL else model.name
    row: dict[str, Any] = {"dataset": dataset, "model": name, "title": model.title, "seeds": len(records)}
    for distance in ("frechet", "kernel"):
        row[distance], row[f"{distance}_std"] = over_seeds(records, f"distance.{distance}")
    row["kernel_subset_std"], _ = over_seeds(records, "distance.kernel_std")
    counts = {count: value_of(records[0], f"distance.{count}") for count in COUNTS}
    return row | counts | training_cells(records)
