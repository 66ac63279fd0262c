"""The rows of splits.csv: each patient's split, half, slices and labelled pixels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from segguided.data.measurable import check_measurable
from segguided.data.slices import Stack, read_stack
from segguided.data.splits import SPLITS, halve_test


def split_rows(
    files: Mapping[str, Sequence[Path]], halves_seed: int, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each slice file of each split, in the order of splits and patients.

    Reads one patient at a time. Raises ValueError where a patient appears twice, and where no mask of the
    test patients holds a class.
    """
    _check_distinct(files)
    halves = halve_test([path.stem for path in files["test"]], halves_seed)
    rows = []
    for split in SPLITS:
        for path in sorted(files[split], key=attrgetter("stem")):
            counts = _counts(read_stack(path), halves, classes)
            rows.append({"patient": path.stem, "split": split, **counts})
    check_measurable([row for row in rows if row["split"] == "test"])
    return rows


def _check_distinct(files: Mapping[str, Sequence[Path]]) -> None:
    patients = Counter(path.stem for paths in files.values() for path in paths)
    twice = sorted(patient for patient, count in patients.items() if count > 1)
    if twice:
        raise ValueError(
            f"expected each patient in one split, once; {', '.join(twice)} appears there twice: name each "
            "slice file once"
        )


def _counts(stack: Stack, halves: Mapping[str, str], classes: Sequence[str]) -> dict[str, Any]:
    """The columns `half`, `slices` and, for each class, the number of its pixels; "" if not annotated."""
    pixels = np.bincount(stack.masks_SHW.ravel(), minlength=len(classes) + 1)[1:]
    if len(pixels) > len(classes):
        raise ValueError(
            f"patient {stack.patient}: masks hold class {len(pixels)} of {len(classes)}; prepare it again"
        )
    counts: dict[str, Any] = {"half": halves.get(stack.patient, ""), "slices": len(stack.images_SHW)}
    for value, (name, count) in enumerate(zip(classes, pixels, strict=True), 1):
        counts[f"pixels_{name}"] = "" if value in stack.not_annotated else int(count)
    return counts
