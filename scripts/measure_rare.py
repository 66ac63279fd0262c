"""Measure what images of rare cases add: Dice on real test images with and without them, class by class."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from segguided.cli import framed, slices_parser
from segguided.config.evaluation import Resampling
from segguided.config.reserved import MACRO
from segguided.data.halves import slices_in_half
from segguided.data.slices import SliceSet, read_slices
from segguided.devices import pick_device
from segguided.evaluation.dice import (
    bootstrap_dice,
    class_counts,
    held_classes,
    percentile_interval,
    pooled_dice,
    with_macro,
)
from segguided.evaluation.prediction import predict
from segguided.files import write_table
from segguided.models.segmenter import load_segmenter
from segguided.training.storage import check_trained_on


def measure_rare(
    test: SliceSet,
    without: nn.Module,
    augmented: nn.Module,
    classes: Sequence[str],
    rare_class: str,
    evaluation: Resampling,
) -> list[dict[str, Any]]:
    """A row a class: Dice of both segmenters on the test half, and their difference (paired bootstrap).

    NaN for a class that no mask of that half holds, which is in no mean.
    """
    half = test.where(slices_in_half(test, evaluation.halves_seed, "test"))
    dice, samples = [], []
    for network in (without, augmented):
        counts = class_counts(predict(network, half.images, pick_device()), half.masks, len(classes))
        dice.append(with_macro(pooled_dice(counts), held_classes(counts)))
        draws = {"resamples": evaluation.bootstrap_resamples, "seed": evaluation.bootstrap_seed}
        samples.append(bootstrap_dice(counts, half.patients, **draws))
    low, high = percentile_interval(samples[1] - samples[0])
    columns = zip((*classes, MACRO), *dice, low, high, strict=True)
    return [
        {
            "class": name,
            "rare": int(name == rare_class),
            "dice_real": real,
            "dice_real_and_drawn": both,
            "difference": both - real,
            "difference_low": bottom,
            "difference_high": top,
            "patients": len(np.unique(half.patients)),
            "slices": len(half),
        }
        for name, real, both, bottom, top in columns
    ]


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--test", type=Path, nargs="+", required=True, help="slices of the test patients")
    parser.add_argument("--without", type=Path, required=True, help="segmenter of real images")
    parser.add_argument("--augmented", type=Path, required=True, help="of real and drawn ones")
    parser.add_argument(
        "--classes", nargs="+", required=True, help="names of the dataset's classes, in order"
    )
    parser.add_argument("--rare-class", required=True, help="marked in the output")
    parser.add_argument("--evaluation", type=Resampling.from_json, required=True, help="settings, JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    torch.set_num_threads(a.threads)
    without, augmented = load_segmenter(a.without), load_segmenter(a.augmented)
    test = read_slices(a.test)
    for segmenter in (a.without, a.augmented):
        check_trained_on(segmenter, test)
    rows = measure_rare(test, without, augmented, a.classes, a.rare_class, a.evaluation)
    write_table(a.output, rows)


if __name__ == "__main__":
    framed(main)
