"""Write a trained diffusion model that samples in few calls as a program that PyTorch alone loads."""

import argparse
from pathlib import Path

import torch

from segguided.cli import run
from segguided.config.sampling import Sampling
from segguided.exports.programs import program_page, write_program
from segguided.files import write_text
from segguided.generation.diffusion import load_denoiser
from segguided.training.storage import network_description


def export_program(weights: Path, sampling: Sampling, output: Path, readme: Path) -> None:
    """Write the network to `output`, a .pt2 file, then the page, which shows how to call it.

    Raises ValueError for a model that samples in many steps: diffusers' samplers are needed for it.
    """
    network, model = load_denoiser(weights, torch.device("cpu"))
    if sampling.sampler != "renoise" or model.prediction_type != "sample":
        raise ValueError(
            f"{weights} predicts {model.prediction_type} and is sampled by {sampling.sampler}; a program is "
            "for models that predict x0 (sample) and are sampled by renoise; use export_model"
        )
    with network_description(weights) as description:
        size = description["image_size"]
    write_program(output, network, model, size)
    write_text(readme, program_page(output.name, network, model, size, sampling.steps))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--weights", type=Path, required=True, help="model.safetensors, config.json beside it"
    )
    parser.add_argument("--sampling", type=Sampling.from_json, required=True, help="sampling settings, JSON")
    parser.add_argument("--output", type=Path, required=True, help="the program, a .pt2 file")
    parser.add_argument("--readme", type=Path, required=True, help="README.md to write beside it")
    return parser


if __name__ == "__main__":
    run(export_program, command_line())
