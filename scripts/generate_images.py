"""Draw one image from a trained diffusion model for every mask of one or more slice sets."""

import argparse
from pathlib import Path

import numpy as np
import torch

from segguided.cli import run
from segguided.config.models import DiffusionModel, Sampling
from segguided.data.slices import read_slices, write_npz
from segguided.devices import pick_device
from segguided.generation import generate
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.storage import load_weights, read_description


def generate_images(
    weights: Path, sampling: Sampling, sets: list[list[Path]], outputs: list[Path], seed: int
) -> None:
    """For each set of slice files write an .npz with `images` (S, H, W) and the mask ids `names`."""
    device, description = pick_device(), read_description(weights)
    model = DiffusionModel.model_validate(description["model"])
    network = MaskedDenoiser(model, description["n_classes"], description["image_size"])
    load_weights(network, weights, device)
    for paths, output in zip(sets, outputs, strict=True):
        slices = read_slices(paths)
        images_SHW = generate(network, model, sampling, slices, seed, device)
        write_npz(output, images=images_SHW, names=np.array(slices.names))


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--weights", type=Path, required=True, help="model.safetensors, config.json beside it"
    )
    parser.add_argument("--sampling", type=Sampling.from_json, required=True, help="sampling settings, JSON")
    parser.add_argument("--slices", type=Path, nargs="+", action="append", required=True, help="once a set")
    parser.add_argument(
        "--output", type=Path, action="append", required=True, help="once a set, in the same order"
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    torch.set_num_threads(a.threads)
    generate_images(a.weights, a.sampling, a.slices, a.output, a.seed)


if __name__ == "__main__":
    run(main)
