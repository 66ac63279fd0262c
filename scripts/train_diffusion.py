"""Train a diffusion model on the slices of the training patients."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from segguided.cli import run
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.init_from import InitFrom
from segguided.data.slices import SliceSet
from segguided.files import sha256_of
from segguided.models.denoiser import build_denoiser
from segguided.models.denoiser_run import run_denoiser
from segguided.models.losses.perceptual import perceptual_on
from segguided.models.prediction_learner import make_learner
from segguided.training.launch import on_gpus
from segguided.training.run import add_beginning, training_parser


def train_diffusion(
    slices: list[Path],
    model: DiffusionModel,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
    init_from: InitFrom | None = None,
    classes: Sequence[str] = (),
    perceptual: Path | None = None,
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it.

    `init_from`: trained weights to begin with, matched by the names of the `classes`; None: random ones.
    `perceptual`: weights of the network of the perceptual loss, where the settings have one.
    """

    def loss_on(data: SliceSet, device: torch.device) -> dict[str, Any]:
        loss = perceptual_on(data, model.perceptual, perceptual, device)
        return {"perceptual": loss} if loss else {}

    run_denoiser(
        build_denoiser,
        make_learner,
        slices,
        model,
        n_classes,
        seed,
        output,
        checkpoint_seconds,
        init_from,
        classes,
        loss_on,
        {"perceptual_sha256": sha256_of(perceptual)} if perceptual else {},
    )


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--model", type=DiffusionModel.from_json, required=True, help="model settings, JSON")
    parser.add_argument("--perceptual", type=Path, help="weights of the network of the perceptual loss")
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    add_beginning(parser)
    return parser


if __name__ == "__main__":
    run(train_diffusion, command_line(), on_gpus)
