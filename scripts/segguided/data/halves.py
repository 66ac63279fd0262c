"""The two halves of a test set's slices: one selects segmenters, the other measures them."""

from typing import Literal

from segguided.data.slices import SliceSet
from segguided.data.splits import halve_test, in_half


def of_half(test: SliceSet, seed: int, half: Literal["validation", "test"]) -> list[bool]:
    """Whether each slice of `test` belongs to `half` of its patients, as drawn by `seed`.

    Raises ValueError where one patient alone has too few slices for two halves.
    """
    halves = halve_test([stack.patient for stack in test.stacks], seed)
    return in_half(test.names, test.patients, halves, half)
