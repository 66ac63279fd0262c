"""Train a diffusion model on the slices of the training patients."""

import argparse
from pathlib import Path

import torch

from segguided.cli import run
from segguided.config.models.diffusion import DiffusionModel
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.models.denoiser import DiffusionLearner, MaskedDenoiser
from segguided.training.launch import on_gpus
from segguided.training.loop import Batches, Plan
from segguided.training.run import train_to_files, training_parser


def train_diffusion(
    slices: list[Path],
    model: DiffusionModel,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it."""
    data, device = read_slices(slices), pick_device()
    plan = Plan.from_settings(model.training, len(data))
    image_size = int(data.stacks[0].images_SHW.shape[-1])
    description = {
        "kind": model.kind,
        "model": model.model_dump(),
        "n_classes": n_classes,
        "image_size": image_size,
        "seed": seed,
    }
    torch.manual_seed(seed)
    network = MaskedDenoiser(model, n_classes, image_size).to(device)
    learner = DiffusionLearner(network, model, plan.steps, device)
    train_to_files(
        learner, Batches(data, device), plan, description, {"train": data}, output, checkpoint_seconds
    )


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--model", type=DiffusionModel.from_json, required=True, help="model settings, JSON")
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    return parser


if __name__ == "__main__":
    run(train_diffusion, command_line(), on_gpus)
