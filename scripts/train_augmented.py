"""Train a segmenter on real held-out images and, beside them, images drawn of rare cases."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.segmenter import Segmenter
from segguided.data.augmented import with_drawn
from segguided.data.halves import of_half
from segguided.data.slices import SliceSet, read_generated, read_slices
from segguided.training.launch import on_gpus
from segguided.training.run import CHECKPOINT_SECONDS, training_parser
from train_segmenter import train_segmenter


def train_augmented(
    real: SliceSet,
    drawn: Path,
    validation: SliceSet,
    segmenter: Segmenter,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it."""
    data = with_drawn(real, *read_generated(drawn, real))
    train_segmenter(data, validation, segmenter, n_classes, seed, output, checkpoint_seconds)


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--drawn", type=Path, required=True, help="images drawn from the held-out masks")
    parser.add_argument("--test", type=Path, nargs="+", required=True, help="slices of the test patients")
    parser.add_argument(
        "--halves-seed", type=int, required=True, help="draws the halves of the test patients"
    )
    parser.add_argument("--segmenter", type=Segmenter.from_json, required=True, help="settings, JSON")
    parser.add_argument("--classes", type=int, required=True, help="number of foreground classes")
    return parser.parse_args()


def train(a: argparse.Namespace) -> None:
    """The run, or one GPU's part in it."""
    test = read_slices(a.test)
    validation = test.where(of_half(test, a.halves_seed, "validation"))
    run_of = (a.seed, a.output, a.checkpoint_seconds)
    train_augmented(read_slices(a.slices), a.drawn, validation, a.segmenter, a.classes, *run_of)


def main() -> None:
    """Script body."""
    on_gpus(train, parse_arguments())


if __name__ == "__main__":
    run(main)
