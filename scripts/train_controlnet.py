"""Train a ControlNet, which makes a trained latent diffusion model follow masks."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.controlnet import ControlTraining
from segguided.data.slices import read_slices
from segguided.data.whole_patients import for_training, left_out
from segguided.models.controlnet.control import ControlLearner, LatentPipeline, add_control
from segguided.models.controlnet.latent import latent_batches
from segguided.models.controlnet.stages import EarlierStages
from segguided.models.signals import channels_entry
from segguided.training.launch import on_gpus
from segguided.training.previews import images_by
from segguided.training.run import TrainingRun, training_parser
from segguided.training.storage import check_trained_on


def train_controlnet(
    slices: list[Path],
    autoencoder: Path,
    latent: Path,
    control: ControlTraining,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
) -> None:
    """Write the networks of all three stages to `output`, with config.json and history.csv beside it."""
    earlier = EarlierStages(autoencoder, latent)
    given = read_slices(slices)
    data = for_training(given, control)
    check_trained_on(latent, data)
    training = TrainingRun.from_settings(data, control.training, seed, output, checkpoint_seconds)
    vae, denoiser = earlier.load(training.device)
    training.seed_first_weights()
    network = add_control(denoiser, vae, control, n_classes)
    pipeline = LatentPipeline(vae, network, earlier.scaling_factor, data.channels).to(training.device)
    learner = ControlLearner(pipeline, earlier.diffusion, control, training.steps, training.device)
    description = {
        "kind": "controlnet",
        **earlier.description(),
        "control": control.model_dump(),
        "networks": pipeline.description(),
        "n_classes": n_classes,
        **left_out(given, data),
        **channels_entry(data.channels),
    }
    preview = images_by("controlnet_previews", learner, earlier.diffusion, seed)
    with latent_batches(vae, data, output.with_name("latents.npy"), training.device) as batches:
        training.train_to_files(
            learner, description, batches=batches, cost_entry=earlier.cost_entry, preview=preview
        )


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--autoencoder", type=Path, required=True, help="model.safetensors of stage 1")
    parser.add_argument("--latent", type=Path, required=True, help="model.safetensors of stage 2")
    parser.add_argument("--control", type=ControlTraining.from_json, required=True, help="settings, JSON")
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    return parser


if __name__ == "__main__":
    run(train_controlnet, command_line(), on_gpus)
