"""The two halves of a test set's slices: `validation` selects segmenters, `test` measures them."""

from typing import Literal

from segguided.data.slices import SliceSet
from segguided.data.splits import halve_test, in_half


def slices_in_half(test: SliceSet, seed: int, half: Literal["validation", "test"]) -> list[bool]:
    """Whether each slice of `test` belongs to `half` of its patients; `seed` decides the halves.

    Raises ValueError where the only patient has too few slices for two halves.
    """
    halves = halve_test([stack.patient for stack in test.stacks], seed)
    return in_half(test.names, test.patients, halves, half)
