"""Train the autoencoder of a latent diffusion model on the slices of the training patients."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.controlnet import AutoencoderStage
from segguided.data.slices import read_slices
from segguided.models.controlnet.autoencoder import AutoencoderLearner, network_config, start_autoencoder
from segguided.training.launch import on_gpus
from segguided.training.run import TrainingRun, training_parser


def train_autoencoder(
    slices: list[Path], stage: AutoencoderStage, seed: int, output: Path, checkpoint_seconds: float
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it."""
    length = stage.settings.training
    data = read_slices(slices)
    training = TrainingRun.from_settings(data, length, seed, output, checkpoint_seconds)
    training.seed_first_weights()
    network = start_autoencoder(stage.start, data.channels).to(training.device)
    learner = AutoencoderLearner(network, stage.settings, training.steps, training.device)
    description = {"stage": stage.model_dump(), "autoencoder": network_config(network)}
    training.train_to_files(learner, description)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--stage", type=AutoencoderStage.from_json, required=True, help="settings, JSON")
    return parser


if __name__ == "__main__":
    run(train_autoencoder, command_line(), on_gpus)
