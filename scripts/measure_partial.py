"""Measure images from partial masks: are the kept classes kept, and do the removed ones vary?"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.data.slices import read_slices
from segguided.evaluation.command_line import measuring_parser
from segguided.evaluation.partial_masks import partial_rows, predict_conditions
from segguided.evaluation.prediction import load_segmenter_for
from segguided.files import table_text
from segguided.generation.variants import read_variants, with_class_names
from segguided.seals import write_listed


def measure_partial(
    dataset: str,
    models: Sequence[str],
    generated: Sequence[Path],
    slices: Sequence[Path],
    evaluator: Path,
    classes: Sequence[str],
    output: Path,
) -> None:
    """Write a row a model, condition and class, see `partial_rows`; `generated` has a set for each model."""
    test = read_slices(slices)
    segmenter = load_segmenter_for(test, evaluator)
    rows = []
    for model, path in zip(models, generated, strict=True):
        variants, chosen = read_variants(path, test)
        predictions = predict_conditions(segmenter, with_class_names(variants, classes))
        for row in partial_rows(predictions, chosen.masks, classes):
            rows.append({"dataset": dataset, "model": model, **row})
    write_listed(output, table_text(output, rows))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = measuring_parser(__doc__)
    parser.add_argument("--dataset", required=True, help="recorded in the output")
    parser.add_argument("--models", nargs="+", required=True, help="names of the models, in order")
    parser.add_argument("--generated", type=Path, nargs="+", required=True, help="a set a model, in order")
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="of the test patients")
    return parser


if __name__ == "__main__":
    run(measure_partial, command_line())
