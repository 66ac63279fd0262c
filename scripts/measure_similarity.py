"""Measure how alike the images of figure 4 and their real images are, and how much they vary, against λ."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.data.slices import read_slices
from segguided.evaluation.command_line import measuring_parser
from segguided.evaluation.prediction import load_segmenter_for
from segguided.evaluation.similarity import similarity_rows
from segguided.files import table_text
from segguided.generation.variants import read_variants
from segguided.seals import write_listed


def measure_similarity(
    dataset: str,
    generated: Path,
    slices: Sequence[Path],
    train: Sequence[Path],
    evaluator: Path,
    classes: Sequence[str],
    output: Path,
) -> None:
    """Write a row a λ: likeness to the real images and diversity, see `similarity_rows`.

    `train`: slices of the patients whose variation the diversity is over.
    """
    variants, chosen = read_variants(generated, read_slices(slices))
    segmenter = load_segmenter_for(chosen, evaluator)
    rows = similarity_rows(variants, chosen, read_slices(train), segmenter, classes)
    write_listed(output, table_text(output, [{"dataset": dataset, **row} for row in rows]))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = measuring_parser(__doc__)
    parser.add_argument("--dataset", required=True, help="recorded in the output")
    parser.add_argument("--generated", type=Path, required=True, help="set of variants by λ")
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="of the test patients")
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="of the training patients")
    return parser


if __name__ == "__main__":
    run(measure_similarity, command_line())
