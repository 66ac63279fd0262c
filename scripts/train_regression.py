"""Train the control, a diffusion model's network without noise, on the slices of the training patients."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.regression import RegressionModel
from segguided.models.denoiser_run import run_denoiser
from segguided.models.regression import RegressionLearner, build_regression
from segguided.training.launch import on_gpus
from segguided.training.run import training_parser


def train_regression(
    slices: list[Path],
    model: RegressionModel,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it."""
    run_denoiser(
        build_regression, RegressionLearner, slices, model, n_classes, seed, output, checkpoint_seconds
    )


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--model", type=RegressionModel.from_json, required=True, help="model settings, JSON")
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    return parser


if __name__ == "__main__":
    run(train_regression, command_line(), on_gpus)
