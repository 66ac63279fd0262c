"""Measure what images of rare cases add: Dice on real test images with and without them, class by class."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import add_computing_options, run, slices_parser
from segguided.data.augmented import read_rare_set
from segguided.data.halves import measuring_half
from segguided.data.slices import read_slices
from segguided.evaluation.prediction import load_segmenter_for
from segguided.evaluation.rare import RareClass, rare_case_rows
from segguided.files import write_table


def measure_rare(
    test: Sequence[Path],
    generated: Path,
    without: Sequence[Path],
    augmented: Sequence[Path],
    classes: Sequence[str],
    halves_seed: int,
    output: Path,
) -> None:
    """Write a row a class: mean Dice with and without the images on the measuring half, and the difference.

    `without` and `augmented` have a segmenter for each seed. `generated`: the set of one of the seeds.
    """
    slices = read_slices(test)
    rare_set = read_rare_set(generated, slices)
    rare = RareClass(classes[rare_set.rare_class - 1], rare_set.shares_C)
    real_only = [load_segmenter_for(slices, path) for path in without]
    with_generated = [load_segmenter_for(slices, path) for path in augmented]
    half = measuring_half(slices, halves_seed)
    write_table(output, rare_case_rows(half, real_only, with_generated, classes, rare))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--test", type=Path, nargs="+", required=True, help="slices of the test patients")
    parser.add_argument("--generated", type=Path, required=True, help="names the rare class")
    parser.add_argument("--without", type=Path, nargs="+", required=True, help="segmenters of real images")
    parser.add_argument("--augmented", type=Path, nargs="+", required=True, help="of real and generated ones")
    parser.add_argument("--classes", nargs="+", required=True, help="names of the classes, in order")
    parser.add_argument("--halves-seed", type=int, required=True, help="seed that halves the test patients")
    add_computing_options(parser)
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser


if __name__ == "__main__":
    run(measure_rare, command_line())
