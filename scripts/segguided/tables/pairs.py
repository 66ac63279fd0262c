"""The comparisons behind a table: every pair of models, by the differences on the same patients."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import pandas as pd

from segguided.evaluation.comparisons import (
    PairedDifference,
    holm,
    least_patients,
    on_shared_patients,
    paired_difference,
)
from segguided.evaluation.csv_files import CsvValue
from segguided.evaluation.intervals import ERROR, within_patient_interval
from segguided.evaluation.records import Record
from segguided.tables.inputs import TableSettings, group_records
from segguided.tables.layouts import Layout
from segguided.tables.patient_columns import PatientsMean
from segguided.tables.units import UnitValues

COLUMNS = (
    *("dataset", "measure", "model", "other", "difference", "low", "high", "p", "p_adjusted"),
    *("patients", "trainings", "verdict"),
)


def make_comparisons(layout: Layout, records: Sequence[Record], settings: TableSettings) -> pd.DataFrame:
    """A row for each dataset, ranked measure and pair of models: `difference` is model minus other.

    p_adjusted is corrected, as by Holm, for all pairs of one dataset and measure. Of one patient there is no
    p; its interval, over blocks of its slices, is about this patient alone. A patient's diversity or density
    above 1 counts as 1 here, for more is no better.
    """
    grouped = group_records(records, settings)
    rows = [
        {"dataset": dataset.name, "measure": column.column, **row}
        for dataset in settings.datasets
        for column in layout.ranked
        for row in _rows(column, {model.name: grouped[dataset.name, model.name] for model in settings.models})
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(
    column: PatientsMean, records_of_models: Mapping[str, Sequence[Record]]
) -> Iterator[dict[str, CsvValue]]:
    units = column.units_of(records_of_models)
    pairs = list(combinations(units, 2))
    differences = [_difference(units[model], units[other]) for model, other in pairs]
    adjusted = holm([difference.p_value for difference in differences])
    for (model, other), difference, p_adjusted in zip(pairs, differences, adjusted, strict=True):
        first = units[model]
        n_patients = _patients_of_both(first, units[other])
        better = model if (difference.mean > 0) == (column.better == "higher") else other
        interval = difference.interval
        yield {
            "model": model,
            "other": other,
            "difference": difference.mean,
            "low": interval.low if interval else math.nan,
            "high": interval.high if interval else math.nan,
            "p": math.nan if first.of_one_patient else difference.p_value,
            "p_adjusted": math.nan if first.of_one_patient else float(p_adjusted),
            "patients": n_patients,
            "trainings": len(first.values_NP),
            "verdict": _verdict(first, n_patients, better, float(p_adjusted), len(units)),
        }


def _difference(units: UnitValues, other: UnitValues) -> PairedDifference:
    """In pairs of patients; of one patient, in pairs of blocks and without a p-value."""
    if not units.of_one_patient:
        return paired_difference(units.values_NP, other.values_NP)
    difference_B = units.values_NP.mean(axis=0) - other.values_NP.mean(axis=0)
    interval = within_patient_interval(difference_B) if len(difference_B) > 1 else None
    return PairedDifference(float(difference_B.mean()), interval, 1.0)


def _patients_of_both(units: UnitValues, other: UnitValues) -> int:
    """How many patients have a value of both models in every training."""
    if units.of_one_patient:
        return 1
    shared_NP, _ = on_shared_patients([units.values_NP, other.values_NP])
    return int(shared_NP.shape[1])


def _verdict(units: UnitValues, n_patients: int, better: str, p_adjusted: float, n_models: int) -> str:
    """What the comparison says, in words."""
    if units.of_one_patient:
        return "one patient: says nothing about others"
    if p_adjusted <= ERROR:
        alone = ", of these two trained models alone" if len(units.values_NP) == 1 else ""
        return f"{better} is better{alone}"
    if n_patients < least_patients(n_models):
        return "too few patients to tell"
    return "not told apart"
