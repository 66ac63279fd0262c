"""Draw more images of the held-out masks that hold a rare class."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segguided.cli import run
from segguided.config.sampling import Sampling
from segguided.data.formats.npz import write_npz
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.generation.diffusion import load_denoiser, make_draw
from segguided.generation.rare import draw_rare
from segguided.generation.sets import drawing_parser
from segguided.training.storage import check_trained_on, seal_facts


def generate_rare(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    n_classes: int,
    rare_class: int,
    images: int,
    seed: int,
    output: Path,
) -> None:
    """Write a generated set of `images` images, whose ids are `mask id/number of the draw`."""
    draw = make_draw(*load_denoiser(weights, pick_device()), sampling, seed)
    data = read_slices(slices)
    check_trained_on(weights, data)
    drawn = draw_rare(draw, data, rare_class, n_classes, images, sampling.batch_size)
    write_npz(output, seal_facts(weights, data), images=drawn[0], names=np.array(drawn[1]))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = drawing_parser(__doc__)
    parser.add_argument("--n-classes", type=int, required=True, help="number of the model's classes")
    parser.add_argument(
        "--rare-class", type=int, required=True, help="mask value, whose masks are drawn from"
    )
    parser.add_argument("--images", type=int, required=True, help="how many to draw")
    return parser


if __name__ == "__main__":
    run(generate_rare, command_line())
