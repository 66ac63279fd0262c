"""The two halves of a test set's slices: `validation` selects segmenters, `test` measures them.

The second is called the measuring half.
"""

from typing import Literal

from segguided.data.slices import SliceSet
from segguided.data.splits import halve_test, in_half


def slices_in_half(test: SliceSet, seed: int, half: Literal["validation", "test"]) -> list[bool]:
    """Whether each slice of `test` belongs to `half` of its patients; `seed` decides the halves.

    Raises ValueError where the only patient has too few slices for two halves.
    """
    halves = halve_test([stack.patient for stack in test.stacks], seed)
    return in_half(test.names, test.patients, halves, half)


def measuring_half(test: SliceSet, seed: int | None) -> SliceSet:
    """The slices of `test` that choose no segmenter's epoch; all of `test` where `seed` is None.

    Raises ValueError where the only patient has too few slices for two halves.
    """
    return test if seed is None else test.where(slices_in_half(test, seed, "test"))
