"""Train a mask completer on the masks of the training patients."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.completer import MaskCompleter
from segguided.data.slices import read_slices
from segguided.models.completer.learner import CompleterLearner
from segguided.models.completer.network import CompleterNetwork
from segguided.training.launch import on_gpus
from segguided.training.ranks import check_shareable
from segguided.training.run import CHECKPOINT_SECONDS, TrainingRun, training_parser


def train_completer(
    slices: list[Path],
    completer: MaskCompleter,
    n_classes: int,
    mirror: bool,
    seed: int,
    output: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it.

    `mirror`: whether a mirrored mask could be another patient's.
    """
    data = read_slices(slices)
    training = TrainingRun.from_settings(data, completer.training, seed, output, checkpoint_seconds)
    check_shareable(training.plan.batch_size // completer.group)
    training.seed_first_weights()
    network = CompleterNetwork(completer, n_classes, training.image_size).to(training.device)
    learner = CompleterLearner(network, completer, training.steps, training.device, mirror=mirror)
    description = {
        "completer": completer.model_dump(),
        "n_classes": n_classes,
        "image_size": training.image_size,
        "mirror": mirror,
    }
    training.train_to_files(learner, description)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--completer", type=MaskCompleter.from_json, required=True, help="settings, JSON")
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    parser.add_argument("--mirror", action="store_true", help="mirror half of the masks, left to right")
    return parser


if __name__ == "__main__":
    run(train_completer, command_line(), on_gpus)
