"""Turn one patient's volume and mask into 2-D slices."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.datasets import Preparation
from segguided.data.datasets.sources import read_channels
from segguided.data.slices import write_stack
from segguided.data.slicing import channels_to_stack


def prepare_patient(
    row: Mapping[str, str],
    preparation: Preparation,
    raw: Sequence[Path],
    output: Path,
    not_annotated: Sequence[int] = (),
) -> None:
    """Write the slices of the patient in `row` to `output`.

    `not_annotated`: values of the classes that the patient was not annotated for.
    """
    images, mask = read_channels(preparation.source, preparation.classes, row, raw, not_annotated)
    stack = channels_to_stack(row["patient"], images, mask, preparation, tuple(not_annotated))
    write_stack(output, stack)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True, help="the patient's row of the table, JSON")
    parser.add_argument("--preparation", type=Preparation.from_json, required=True, help="settings, JSON")
    parser.add_argument("--raw", type=Path, nargs="+", required=True, help="the patient's files or folders")
    parser.add_argument(
        "--not-annotated",
        type=int,
        nargs="+",
        default=(),
        help="values of the classes, from 1, that the patient was not annotated for",
    )
    parser.add_argument("--output", type=Path, required=True, help=".npz to write")
    return parser


if __name__ == "__main__":
    run(prepare_patient, command_line())
