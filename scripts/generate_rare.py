"""Generate more images of the held-out masks that hold a rare class."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.sampling import Sampling
from segguided.generation.command_lines import single_set_parser
from segguided.generation.diffusion import load_sampler
from segguided.generation.rare import generate_rare_cases
from segguided.generation.sets import read_matching_slices, write_generated


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
    """Write a generated set of `images` images, whose ids are `mask id/number of its sample`."""
    sampler = load_sampler(weights, sampling, seed)
    masks = read_matching_slices(weights, slices)
    images_NHW, ids = generate_rare_cases(sampler, masks, rare_class, n_classes, images, sampling.batch_size)
    write_generated(output, weights, masks, images_NHW, ids)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = single_set_parser(__doc__)
    parser.add_argument("--n-classes", type=int, required=True, help="number of the model's classes")
    parser.add_argument(
        "--rare-class", type=int, required=True, help="mask value; images are made of the masks that hold it"
    )
    parser.add_argument("--images", type=int, required=True, help="how many to generate")
    return parser


if __name__ == "__main__":
    run(generate_rare, command_line())
