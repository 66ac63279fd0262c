"""List each patient's split, half, slices and labelled pixels, once all patients are sliced."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segguided.cli import run
from segguided.data.slices import Stack, read_stack
from segguided.files import write_table


def split_dataset(slices: Sequence[Path], splits: Mapping[str, Sequence[str]], halves: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of splits.csv, in the order of splits and patients. Reads one patient at a time."""
    split_of = {patient: split for split, patients in splits.items() for patient in patients}
    rows = []
    for path in sorted(slices, key=lambda p: (list(splits).index(split_of[p.stem]), p.stem)):
        stack = read_stack(path)
        rows.append({"patient": stack.patient, "split": split_of[stack.patient], **_summary(stack, halves)})
    return rows


def _summary(stack: Stack, halves: Mapping[str, str]) -> dict[str, Any]:
    names = stack.provenance["classes"]
    pixels = np.bincount(stack.masks_SHW.ravel(), minlength=len(names) + 1)[1:]
    summary: dict[str, Any] = {"half": halves.get(stack.patient, ""), "slices": len(stack.images_SHW)}
    return summary | {f"pixels_{name}": int(count) for name, count in zip(names, pixels, strict=True)}


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="slice files of all patients")
    parser.add_argument("--splits", type=json.loads, required=True, help="patients of each split and halves, JSON")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    write_table(a.output, split_dataset(a.slices, a.splits["splits"], a.splits["halves"]))


if __name__ == "__main__":
    run(main)
