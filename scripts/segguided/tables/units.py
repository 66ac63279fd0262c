"""A measure's values of each patient: what intervals and comparisons of models are computed from.

Shape suffixes: N trainings (seeds), P patients or, where there is one patient, blocks of its slices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segguided.evaluation.records import Record

PATIENT = ".patient."
BLOCK = ".block."


@dataclass(frozen=True)
class UnitValues:
    """Values of each training and patient, NaN where undefined; of blocks if `of_one_patient`."""

    names: tuple[str, ...]
    values_NP: np.ndarray
    of_one_patient: bool


def unit_values(records: Sequence[Record], key: str) -> UnitValues:
    """The values below a mean's key in the records of one dataset and model, one for each seed.

    Raises ValueError where a record has none, or where the records differ in their patients.
    """
    unit = PATIENT if any(name.startswith(key + PATIENT) for name in records[0]) else BLOCK
    of_records = [_values(record, key + unit) for record in records]
    names = tuple(of_records[0])
    for record, values in zip(records, of_records, strict=True):
        if not values or tuple(values) != names:
            raise ValueError(
                f"record of {record['dataset']} × {record['model']}, seed {record['seed']}, has "
                f"{', '.join(values) or 'no patients'} below {key}, expected {', '.join(names) or 'some'}; "
                "it comes from another version or other patients: evaluate again"
            )
    values_NP = np.array([list(values.values()) for values in of_records], dtype=float)
    of_one_patient = unit == BLOCK or len(names) == 1
    return UnitValues(names, values_NP, of_one_patient)


def _values(record: Record, prefix: str) -> dict[str, float | int | str | None]:
    """The values by patient, in the order of the patients' names; None becomes NaN in an array of floats."""
    found = [(name.removeprefix(prefix), record[name]) for name in record if name.startswith(prefix)]
    return dict(sorted(found))


def check_same_units(units: Sequence[UnitValues], what: str) -> None:
    """Raise ValueError unless the models were measured on the same patients."""
    for other in units[1:]:
        if other.names != units[0].names:
            raise ValueError(
                f"{what}: expected the same patients of every model, got {', '.join(units[0].names)} and "
                f"{', '.join(other.names)}; evaluate both again"
            )
