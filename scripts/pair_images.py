"""Write the paired dataset: real images, and generated ones that share only the kept classes with them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from segguided.cli import run
from segguided.config.models import Sampling
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.generation import generate
from segguided.models.drawing import load_denoiser, make_draw
from segguided.pairing import write_pairs
from segguided.partial import class_indices, partial_draw


def pair_images(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    classes: Sequence[str],
    kept: Sequence[str],
    seed: int,
    output: Path,
) -> None:
    """Write the zip to `output`; an image for every mask of `slices`, drawn with only the classes `kept`."""
    draw = make_draw(*load_denoiser(weights, pick_device()), sampling, seed)
    data = read_slices(slices)
    images_SHW = generate(partial_draw(draw, class_indices(classes, kept)), data, sampling.batch_size)
    write_pairs(output, data, images_SHW, classes, kept)


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--weights", type=Path, required=True, help="of a diffusion model, config.json beside"
    )
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="of held-out and test patients")
    parser.add_argument("--sampling", type=Sampling.from_json, required=True, help="settings, JSON")
    parser.add_argument(
        "--classes", nargs="+", required=True, help="names of the dataset's classes, in order"
    )
    parser.add_argument(
        "--kept", nargs="+", required=True, help="classes that real and generated images share"
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help=".zip to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    arguments = vars(parse_arguments())
    torch.set_num_threads(arguments.pop("threads"))
    pair_images(**arguments)


if __name__ == "__main__":
    run(main)
