"""Train a ControlNet, which brings the masks into a trained latent diffusion model."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from segguided.cli import run
from segguided.config.models.controlnet import ControlTraining
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.models.controlnet.control import LatentPipeline, add_control
from segguided.models.controlnet.latent import LatentLearner, latent_batches
from segguided.models.controlnet.stages import EarlierStages, total_cost
from segguided.training.launch import on_gpus
from segguided.training.loop import Cost, Plan
from segguided.training.run import train_to_files, training_parser
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
    """Write all three stages' networks to `output`, with config.json and history.csv beside it."""
    earlier = EarlierStages(autoencoder, latent)
    data = read_slices(slices)
    device = pick_device()
    check_trained_on(latent, data)
    plan = Plan.from_settings(control.training, len(data))
    vae, denoiser = earlier.load(device)
    torch.manual_seed(seed)
    network = add_control(denoiser, vae, control, n_classes).to(device)
    pipeline = LatentPipeline(vae, network, earlier.scaling_factor)
    description = {
        "kind": "controlnet",
        **earlier.description(),
        "control": control.model_dump(),
        "networks": pipeline.description(),
        "n_classes": n_classes,
        "seed": seed,
    }
    trained = network.trained(control.sd_locked)
    learner = LatentLearner(
        network, trained, earlier.process, control, earlier.scaling_factor, plan.steps, device
    )

    def told(cost: Cost) -> dict[str, Any]:
        return total_cost({**earlier.costs, "control": asdict(cost)})

    with latent_batches(vae, data, output.with_name("latents.npy"), device) as batches:
        train_to_files(
            learner,
            batches,
            plan,
            description,
            {"train": data},
            output,
            checkpoint_seconds,
            network=pipeline,
            told=told,
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
