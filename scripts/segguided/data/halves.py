"""The two halves of a test set's slices: one selects segmenters, the other measures them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from segguided.data.slices import SliceSet
from segguided.data.splits import halve_test, in_half


def of_half(test: SliceSet, seed: int, half: Literal["validation", "test"]) -> list[bool]:
    """Whether each slice of `test` belongs to `half` of its patients, as drawn by `seed`.

    Raises ValueError where one patient alone has too few slices for two halves.
    """
    halves = halve_test([stack.patient for stack in test.stacks], seed)
    return in_half(test.names, test.patients, halves, half)


def check_measurable(test_rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise ValueError where the test patients' rows of splits.csv count no pixel of any class.

    Table 1 is measured on all of them, Table 2 on the half `test` or on half of the only one.
    """
    for measured in (test_rows, [row for row in test_rows if row["half"] != "validation"]):
        classes = [key for key in measured[0] if key.startswith("pixels_")]
        if not any(row[key] for row in measured for key in classes):
            patients = ", ".join(row["patient"] for row in measured)
            names = ", ".join(key.removeprefix("pixels_") for key in classes)
            raise ValueError(
                f"expected masks of test patients that hold a class ({names}), but those of {patients} are all "
                "background, so nothing could be measured on them; check their masks and the classes' labels, "
                "or choose other test patients (`split`)"
            )
