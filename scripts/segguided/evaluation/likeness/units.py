"""The units that a measure has values of: patients, or blocks of slices where there is one patient.

Shape letters: S slices.
"""

from collections.abc import Mapping

import numpy as np

from segguided.data.slices import SliceSet
from segguided.evaluation.records import Record, unit_entries

BLOCKS = 8  # of one patient's slices, at most
LEAST_LENGTH = 3  # slices of a block, with the one that is its gap to the next


def units_of(slices: SliceSet) -> dict[str, np.ndarray]:
    """Which slices belong to each unit, (S,) bool, by the end of its keys: `patient.NAME` or `block.NUMBER`.

    One patient's slices are cut into blocks of neighbours. The last slice of each block is left out: a gap.
    """
    names = np.unique(slices.patients)
    if len(names) > 1:
        return {f"patient.{name}": slices.patients == name for name in names}
    return {f"block.{number}": block_S for number, block_S in enumerate(_blocks(len(slices)))}


def _blocks(n_slices: int) -> list[np.ndarray]:
    count = max(1, min(BLOCKS, n_slices // LEAST_LENGTH))
    blocks = []
    for rows in np.array_split(np.arange(n_slices), count):
        kept = rows[:-1] if count > 1 else rows
        blocks.append(np.isin(np.arange(n_slices), kept))
    return blocks


def mean_record(key: str, values_S: np.ndarray, units: Mapping[str, np.ndarray]) -> Record:
    """`unit_entries` of the means of values per slice, (S,)."""
    return unit_entries(key, {unit: float(values_S[chosen_S].mean()) for unit, chosen_S in units.items()})
