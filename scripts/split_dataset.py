"""List each patient's split, half, slices and labelled pixels, once all patients are sliced."""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from segguided.cli import framed, slices_parser
from segguided.data.measurable import check_measurable
from segguided.data.slices import Stack, read_stack
from segguided.data.splits import SPLITS, halve_test
from segguided.files import table_text
from segguided.seals import write_listed


def split_dataset(
    splits: Mapping[str, Sequence[Path]], halves_seed: int, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows of splits.csv from the slice files of each split, in the order of splits and patients.

    Reads one patient at a time. Raises ValueError for a patient that stands in them twice, and where no mask
    holds a class of those that every table is measured on.
    """
    patients = Counter(path.stem for paths in splits.values() for path in paths)
    twice = sorted(patient for patient, count in patients.items() if count > 1)
    if twice:
        raise ValueError(f"expected each patient in one split, once; {', '.join(twice)} stands there twice")
    halves = halve_test([path.stem for path in splits["test"]], halves_seed)
    rows = [
        {"patient": path.stem, "split": split, **_summary(read_stack(path), halves, classes)}
        for split in SPLITS
        for path in sorted(splits[split], key=attrgetter("stem"))
    ]
    check_measurable([row for row in rows if row["split"] == "test"])
    return rows


def _summary(stack: Stack, halves: Mapping[str, str], names: Sequence[str]) -> dict[str, Any]:
    pixels = np.bincount(stack.masks_SHW.ravel(), minlength=len(names) + 1)[1:]
    if len(pixels) > len(names):
        raise ValueError(
            f"patient {stack.patient}: masks hold class {len(pixels)} of {len(names)}; prepare it again"
        )
    summary: dict[str, Any] = {"half": halves.get(stack.patient, ""), "slices": len(stack.images_SHW)}
    return summary | {f"pixels_{name}": int(count) for name, count in zip(names, pixels, strict=True)}


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    for split in SPLITS:
        parser.add_argument(f"--{split}", type=Path, nargs="+", required=True, help="its slice files")
    parser.add_argument(
        "--halves-seed", type=int, required=True, help="draws the halves of the test patients"
    )
    parser.add_argument("--classes", nargs="+", required=True, help="names of the foreground classes")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    splits = {"train": a.train, "held-out": a.held_out, "test": a.test}
    rows = split_dataset(splits, a.halves_seed, a.classes)
    write_listed(a.output, table_text(a.output, rows))


if __name__ == "__main__":
    framed(main)
