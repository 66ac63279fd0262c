"""Write a trained diffusion model as a folder that plain diffusers loads."""

import argparse
from pathlib import Path

import torch

from segguided.cli import run
from segguided.exports.model_folders import model_page, write_folder
from segguided.files import write_text
from segguided.generation.diffusion import load_denoiser
from segguided.generation.samplers.clipping import clip_as_stated
from segguided.generation.sampling import ddim_scheduler
from segguided.models.denoiser import ModulatedDenoiser


def export_model(weights: Path, timestep_spacing: str, readme: Path) -> None:
    """Write unet/ and scheduler/ beside `readme`, then the page, which shows how to call them."""
    network, model = load_denoiser(weights, torch.device("cpu"))
    if network.tissues:
        raise ValueError(
            f"{weights} draws tissues first, and diffusers has nothing that does; use export_program, or "
            "train it with tissues: null"
        )
    if isinstance(network, ModulatedDenoiser) or model.noise_inputs:
        raise ValueError(
            f"{weights} is a decoder that masks modulate, or has a noise input; diffusers has no class or "
            "sampler for it: use export_program"
        )
    write_folder(readme.parent, network.unet, clip_as_stated(ddim_scheduler(model, timestep_spacing), model))
    write_text(readme, model_page(network, model))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--weights", type=Path, required=True, help="model.safetensors, config.json beside it"
    )
    parser.add_argument("--timestep-spacing", choices=("leading", "trailing", "linspace"), required=True)
    parser.add_argument("--readme", type=Path, required=True, help="README.md to write in the model's folder")
    return parser


if __name__ == "__main__":
    run(export_model, command_line())
