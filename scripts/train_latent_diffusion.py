"""Train the UNet of a latent diffusion model, without masks, on the latents of a trained autoencoder."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.controlnet import LatentStage, Pretrained
from segguided.data.slices import read_slices
from segguided.files import sha256_of
from segguided.models.controlnet.autoencoder import load_autoencoder, network_config
from segguided.models.controlnet.latent import LatentLearner, check_noise, latent_batches, start_denoiser
from segguided.training.launch import on_gpus
from segguided.training.run import TrainingRun, training_parser
from segguided.training.storage import check_trained_on


def train_latent_diffusion(
    slices: list[Path],
    autoencoder: Path,
    stage: LatentStage,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it."""
    check_noise(stage)
    data = read_slices(slices)
    check_trained_on(autoencoder, data)
    settings = stage.settings
    training = TrainingRun.from_settings(data, settings.training, seed, output, checkpoint_seconds)
    vae = load_autoencoder(autoencoder, training.device)
    training.seed_first_weights()
    network = start_denoiser(stage.start, vae.config["latent_channels"]).to(training.device)
    with latent_batches(vae, data, output.with_name("latents.npy"), training.device) as batches:
        # A pretrained UNet expects latents of the scale it was trained on.
        pretrained = isinstance(stage.start, Pretrained)
        scale = vae.config["scaling_factor"] if pretrained else batches.scaling_factor()
        learner = LatentLearner(
            network, network.unet, settings, settings, scale, training.steps, training.device
        )
        description = {
            "stage": stage.model_dump(),
            "unet": network_config(network.unet),
            "prompt_shape": list(network.prompt_1LD.shape),
            "scaling_factor": scale,
            "autoencoder_sha256": sha256_of(autoencoder),
        }
        training.train_to_files(learner, description, batches=batches)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--autoencoder", type=Path, required=True, help="its model.safetensors")
    parser.add_argument("--stage", type=LatentStage.from_json, required=True, help="settings, JSON")
    return parser


if __name__ == "__main__":
    run(train_latent_diffusion, command_line(), on_gpus)
