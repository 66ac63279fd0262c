"""Draw more images of the held-out masks that hold a rare class."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from segguided.cli import run
from segguided.config.models import Sampling
from segguided.data.slices import read_slices, write_npz
from segguided.devices import pick_device
from segguided.models.drawing import load_denoiser, make_draw
from segguided.partial import class_indices
from segguided.rare import draw_rare


def generate_rare(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    classes: Sequence[str],
    rare_class: str,
    images: int,
    seed: int,
    output: Path,
) -> None:
    """Write a generated set of `images` images, whose ids are `mask id/number of the draw`."""
    draw = make_draw(*load_denoiser(weights, pick_device()), sampling, seed)
    (rare,) = class_indices(classes, [rare_class])
    drawn = draw_rare(draw, read_slices(slices), rare, len(classes), images, sampling.batch_size)
    write_npz(output, images=drawn[0], names=np.array(drawn[1]))


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--weights", type=Path, required=True, help="of a diffusion model, config.json beside"
    )
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="of the held-out patients")
    parser.add_argument("--sampling", type=Sampling.from_json, required=True, help="settings, JSON")
    parser.add_argument(
        "--classes", nargs="+", required=True, help="names of the dataset's classes, in order"
    )
    parser.add_argument("--rare-class", required=True, help="whose masks are drawn from")
    parser.add_argument("--images", type=int, required=True, help="how many to draw")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help=".npz to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    arguments = vars(parse_arguments())
    torch.set_num_threads(arguments.pop("threads"))
    generate_rare(**arguments)


if __name__ == "__main__":
    run(main)
