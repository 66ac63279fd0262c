"""Train the control, a diffusion model's network without noise, on the slices of the training patients."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.regression import RegressionModel
from segguided.data.slices import read_slices
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.regression import RegressionLearner
from segguided.training.launch import on_gpus
from segguided.training.run import TrainingRun, training_parser


def train_regression(
    slices: list[Path],
    model: RegressionModel,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it."""
    training = TrainingRun.from_settings(
        read_slices(slices), model.training, seed, output, checkpoint_seconds
    )
    training.seed_first_weights()
    network = MaskedDenoiser(model, n_classes, training.image_size).to(training.device)
    learner = RegressionLearner(network, model, training.steps, training.device)
    description = {
        "kind": model.kind,
        "model": model.model_dump(),
        "n_classes": n_classes,
        "image_size": training.image_size,
    }
    training.train_to_files(learner, description)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--model", type=RegressionModel.from_json, required=True, help="model settings, JSON")
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    return parser


if __name__ == "__main__":
    run(train_regression, command_line(), on_gpus)
