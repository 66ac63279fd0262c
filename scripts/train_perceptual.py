"""Train a segmenter on the training patients' slices, for the feature maps of a perceptual loss alone."""

import argparse
from pathlib import Path

import torch

from segguided.cli import run
from segguided.config.models.segmenter import Segmenter
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.models.segmenter import SegmenterLearner, build_segmenter
from segguided.training.launch import on_gpus
from segguided.training.loop import Batches, Plan
from segguided.training.run import CHECKPOINT_SECONDS, train_to_files, training_parser


def train_perceptual(
    slices: list[Path],
    segmenter: Segmenter,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Write model.safetensors of the last epoch to `output`, with config.json and history.csv beside it.

    No other patient chooses the epoch: a generative model may learn from the training patients only.
    """
    data, device = read_slices(slices), pick_device()
    plan = Plan.from_settings(segmenter.training, len(data))
    description = {"segmenter": segmenter.model_dump(), "n_classes": n_classes, "seed": seed}
    torch.manual_seed(seed)
    network = build_segmenter(segmenter, n_classes).to(device)
    learner = SegmenterLearner(network, segmenter, plan.steps, None, device)
    train_to_files(
        learner, Batches(data, device), plan, description, {"train": data}, output, checkpoint_seconds
    )


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
