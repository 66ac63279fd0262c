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
from segguided.models.controlnet.latent import LatentLearner, encoded
from segguided.models.controlnet.stages import Earlier, total_cost
from segguided.training.launch import on_gpus
from segguided.training.loop import Cost, Plan
from segguided.training.run import train_to_files, training_parser
from segguided.training.storage import check_trained_on


def train_controlnet(
    slices: list[Path],
    earlier: Earlier,
    settings: ControlTraining,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
) -> None:
    """Write all three stages' networks to `output`, with config.json and history.csv beside it."""
    data, device = read_slices(slices), pick_device()
    check_trained_on(earlier.latent, data)
    plan, vae, denoiser = Plan.of(settings.training, len(data)), *earlier.load(device)
    torch.manual_seed(seed)
    network = add_control(denoiser, vae, settings, n_classes).to(device)
    pipeline = LatentPipeline(vae, network, earlier.scaling_factor)
    description = {
        "kind": "controlnet",
        **earlier.description(),
        "control": settings.model_dump(),
        "networks": pipeline.description(),
        "n_classes": n_classes,
        "seed": seed,
    }
    trained, scale = network.trained(settings.sd_locked), earlier.scaling_factor
    learner = LatentLearner(network, trained, earlier.process, settings, scale, plan.steps, device)

    def told(cost: Cost) -> dict[str, Any]:
        return total_cost({**earlier.costs, "control": asdict(cost)})

    run_of = (description, {"train": data}, output, checkpoint_seconds)
    with encoded(vae, data, output.with_name("latents.npy"), device) as batches:
        train_to_files(learner, batches, plan, *run_of, network=pipeline, told=told)


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--autoencoder", type=Path, required=True, help="model.safetensors of stage 1")
    parser.add_argument("--latent", type=Path, required=True, help="model.safetensors of stage 2")
    parser.add_argument("--control", type=ControlTraining.from_json, required=True, help="settings, JSON")
    parser.add_argument("--classes", type=int, required=True, help="number of foreground classes")
    return parser.parse_args()


def train(a: argparse.Namespace) -> None:
    """The run, or one GPU's part in it."""
    earlier = Earlier(a.autoencoder, a.latent)
    train_controlnet(a.slices, earlier, a.control, a.classes, a.seed, a.output, a.checkpoint_seconds)


def main() -> None:
    """Script body."""
    on_gpus(train, parse_arguments())


if __name__ == "__main__":
    run(main)
