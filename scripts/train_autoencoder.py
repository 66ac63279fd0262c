"""Train the autoencoder of a latent diffusion model on the slices of the training patients."""

import argparse
from pathlib import Path

import torch

from segguided.cli import run
from segguided.config.models.controlnet import AutoencoderStage
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.models.controlnet.autoencoder import AutoencoderLearner, network_config, start_autoencoder
from segguided.training.launch import on_gpus
from segguided.training.loop import Batches, Plan
from segguided.training.run import train_to_files, training_parser


def train_autoencoder(
    slices: list[Path], stage: AutoencoderStage, seed: int, output: Path, checkpoint_seconds: float
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it."""
    data, device = read_slices(slices), pick_device()
    plan = Plan.from_settings(stage.settings.training, len(data))
    torch.manual_seed(seed)
    network = start_autoencoder(stage.start).to(device)
    learner = AutoencoderLearner(network, stage.settings, plan.steps, device)
    description = {"stage": stage.model_dump(), "autoencoder": network_config(network), "seed": seed}
    train_to_files(
        learner, Batches(data, device), plan, description, {"train": data}, output, checkpoint_seconds
    )


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--stage", type=AutoencoderStage.from_json, required=True, help="settings, JSON")
    return parser


if __name__ == "__main__":
    run(train_autoencoder, command_line(), on_gpus)
