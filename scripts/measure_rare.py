"""Measure what images of rare cases add: Dice on real test images with and without them, class by class."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import add_computing_options, run, slices_parser
from segguided.config.evaluation import Resampling
from segguided.data.slices import read_slices
from segguided.evaluation.prediction import load_segmenter_for
from segguided.evaluation.rare import rare_case_rows
from segguided.files import write_table


def measure_rare(
    test: Sequence[Path],
    without: Path,
    augmented: Path,
    classes: Sequence[str],
    rare_class: str,
    evaluation: Resampling,
    output: Path,
) -> None:
    """Write a row a class: Dice of both segmenters on the test half, and their difference."""
    slices = read_slices(test)
    segmenters = (load_segmenter_for(slices, without), load_segmenter_for(slices, augmented))
    write_table(output, rare_case_rows(slices, *segmenters, classes, rare_class, evaluation))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--test", type=Path, nargs="+", required=True, help="slices of the test patients")
    parser.add_argument("--without", type=Path, required=True, help="segmenter of real images")
    parser.add_argument("--augmented", type=Path, required=True, help="of real and generated images")
    parser.add_argument(
        "--classes", nargs="+", required=True, help="names of the dataset's classes, in order"
    )
    parser.add_argument("--rare-class", required=True, help="marked in the output")
    parser.add_argument("--evaluation", type=Resampling.from_json, required=True, help="settings, JSON")
    add_computing_options(parser)
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser


if __name__ == "__main__":
    run(measure_rare, command_line())
