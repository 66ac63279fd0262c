"""Measure images from partial masks: are the kept classes kept, and do the removed ones vary?"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segguided.cli import framed, slices_parser
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.evaluation.prediction import predict
from segguided.evaluation.variation import partial_rows
from segguided.files import write_table
from segguided.generation.variants import read_variants, with_class_names
from segguided.models.segmenter import load_segmenter
from segguided.training.storage import check_trained_on


def measure_partial(
    dataset: str,
    generated: Mapping[str, Path],
    slices: Sequence[Path],
    evaluator: Path,
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    """Rows of <results>/partial/<dataset>.csv: model × condition × class, see `partial_rows`."""
    network, test, rows = load_segmenter(evaluator), read_slices(slices), []
    check_trained_on(evaluator, test)
    for model, path in generated.items():
        variants, chosen = read_variants(path, test)
        predictions: dict[str, list[np.ndarray]] = {}
        for variant, images_MHW in with_class_names(variants, classes).items():
            condition = variant.rsplit("/", 1)[0]
            predictions.setdefault(condition, []).append(predict(network, images_MHW, pick_device()))
        stacked = {condition: np.stack(draws) for condition, draws in predictions.items()}
        for row in partial_rows(stacked, chosen.masks, classes):
            rows.append({"dataset": dataset, "model": model, **row})
    return rows


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--dataset", required=True, help="recorded in the output")
    parser.add_argument("--models", nargs="+", required=True, help="names of the models, in order")
    parser.add_argument("--generated", type=Path, nargs="+", required=True, help="a set a model, in order")
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="of the test patients")
    parser.add_argument("--evaluator", type=Path, required=True, help="segmenter trained on real images")
    parser.add_argument(
        "--classes", nargs="+", required=True, help="names of the dataset's classes, in order"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    torch.set_num_threads(a.threads)
    generated = dict(zip(a.models, a.generated, strict=True))
    write_table(a.output, measure_partial(a.dataset, generated, a.slices, a.evaluator, a.classes))


if __name__ == "__main__":
    framed(main)
