"""List each patient's split, half, slices and labelled pixels, once all patients are sliced."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run, slices_parser
from segguided.data.split_rows import split_rows
from segguided.data.splits import SPLITS
from segguided.files import table_text
from segguided.seals import write_listed


def split_dataset(
    train: Sequence[Path],
    held_out: Sequence[Path],
    test: Sequence[Path],
    halves_seed: int,
    classes: Sequence[str],
    output: Path,
) -> None:
    """Write splits.csv from the slice files of each split."""
    files = {"train": train, "held-out": held_out, "test": test}
    rows = split_rows(files, halves_seed, classes)
    write_listed(output, table_text(output, rows))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    for split in SPLITS:
        parser.add_argument(f"--{split}", type=Path, nargs="+", required=True, help="its slice files")
    parser.add_argument(
        "--halves-seed", type=int, required=True, help="seed that splits the test patients into two halves"
    )
    parser.add_argument("--classes", nargs="+", required=True, help="names of the foreground classes")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser


if __name__ == "__main__":
    run(split_dataset, command_line())
