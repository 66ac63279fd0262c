"""Train a segmenter on the training patients, only for the feature maps of a perceptual loss."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.segmenter import Segmenter
from segguided.data.slices import read_slices
from segguided.models.segmenter_run import run_segmenter
from segguided.training.launch import on_gpus
from segguided.training.run import CHECKPOINT_SECONDS, training_parser


def train_perceptual(
    slices: list[Path],
    segmenter: Segmenter,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Write model.safetensors of the last epoch to `output`, with config.json and history.csv beside it.

    The last epoch, because no other patient may choose one: a generative model learns from the training
    patients only.
    """
    data = read_slices(slices)
    run_segmenter(data, None, segmenter, n_classes, seed, output, checkpoint_seconds)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument(
        "--segmenter", type=Segmenter.from_json, required=True, help="segmenter settings, JSON"
    )
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    return parser


if __name__ == "__main__":
    run(train_perceptual, command_line(), on_gpus)
