"""List each patient's split, half, slices and labelled pixels, once all patients are sliced."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segguided.cli import run
from segguided.data.slices import Stack, read_stack
from segguided.data.splits import SPLITS
from segguided.files import write_table


def split_dataset(
    slices: Sequence[Path], splits: Mapping[str, Sequence[str]], halves: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows of splits.csv, in the order of splits and patients. Reads one patient at a time.

    Raises ValueError unless there is one slice file for each patient of the splits.
    """
    file_of = {path.stem: path for path in slices}
    ordered = sorted(splits, key=SPLITS.index)
    split_of = {patient: split for split in ordered for patient in sorted(splits[split])}
    unequal = sorted(file_of.keys() ^ split_of.keys())
    if unequal or len(file_of) < len(slices):
        raise ValueError(
            f"expected one slice file for each patient of the splits; check {', '.join(unequal)}"
        )
    return [
        {"patient": patient, "split": split, **_summary(read_stack(file_of[patient]), halves)}
        for patient, split in split_of.items()
    ]


def _summary(stack: Stack, halves: Mapping[str, str]) -> dict[str, Any]:
    names = stack.provenance["classes"]
    pixels = np.bincount(stack.masks_SHW.ravel(), minlength=len(names) + 1)[1:]
    if len(pixels) > len(names):
        raise ValueError(
            f"patient {stack.patient}: masks hold class {len(pixels)} of {len(names)}; prepare it again"
        )
    summary: dict[str, Any] = {"half": halves.get(stack.patient, ""), "slices": len(stack.images_SHW)}
    return summary | {f"pixels_{name}": int(count) for name, count in zip(names, pixels, strict=True)}


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="slice files of all patients")
    parser.add_argument(
        "--splits", type=json.loads, required=True, help="patients of each split and halves, JSON"
    )
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    write_table(a.output, split_dataset(a.slices, a.splits["splits"], a.splits["halves"]))


if __name__ == "__main__":
    run(main)
