"""Whether the masks of the test patients hold any class to measure."""

from collections.abc import Mapping, Sequence
from typing import Any


def check_measurable(test_rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise ValueError where the test patients' rows of splits.csv count no pixel of any class.

    Table 1 is measured on all test patients; Table 2 on those of the half `test`, or on half of the slices if
    there is only one patient.
    """
    table2_rows = [row for row in test_rows if row["half"] != "validation"]
    for rows in (test_rows, table2_rows):
        classes = [key for key in rows[0] if key.startswith("pixels_")]
        if not any(row[key] for row in rows for key in classes):
            patients = ", ".join(row["patient"] for row in rows)
            names = ", ".join(key.removeprefix("pixels_") for key in classes)
            raise ValueError(
                f"expected masks of test patients that hold a class ({names}), but those of {patients} are "
                "all background, so nothing could be measured on them; check their masks and the labels of "
                "the classes, or choose other test patients (`split`)"
            )
