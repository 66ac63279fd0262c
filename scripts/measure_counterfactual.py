"""Measure what counterfactual images change, inside the edited region and outside, and what they show."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from segguided.cli import run
from segguided.data.slices import read_slices
from segguided.evaluation.command_line import measuring_parser
from segguided.evaluation.counterfactuals import counterfactual_rows
from segguided.evaluation.csv_files import to_csv
from segguided.evaluation.prediction import load_segmenter_for
from segguided.generation.variants import read_seen_variants, read_variants
from segguided.seals import write_listed


def measure_counterfactual(
    slices: Sequence[Path],
    generated: Path,
    evaluator: Path,
    edited_class: int,
    classes: Sequence[str],
    output: Path,
) -> None:
    """Write a row an edit, see `counterfactual_rows`."""
    test = read_slices(slices)
    variants, chosen = read_variants(generated, test)
    masks = read_seen_variants(generated, test)
    segmenter = load_segmenter_for(chosen, evaluator)
    rows = counterfactual_rows(variants, masks, chosen, segmenter, edited_class, classes)
    write_listed(output, to_csv(pd.DataFrame(rows), decimals=None))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = measuring_parser(__doc__)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="of the test patients")
    parser.add_argument("--generated", type=Path, required=True, help="the counterfactual images")
    parser.add_argument("--edited-class", type=int, required=True, help="mask value of the class")
    return parser


if __name__ == "__main__":
    run(measure_counterfactual, command_line())
