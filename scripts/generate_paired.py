"""Generate images from masks with only some classes kept: the generated half of the paired dataset."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.sampling import Sampling
from segguided.generation.command_lines import single_set_parser
from segguided.generation.diffusion import load_sampler
from segguided.generation.partial_masks import partial_sampler
from segguided.generation.sets import generate_images, read_matching_slices, write_generated


def generate_paired(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    n_classes: int,
    kept: Sequence[int],
    seed: int,
    output: Path,
) -> None:
    """Write a generated set with an image for every mask of `slices`, guided by only the values `kept`."""
    sampler = partial_sampler(load_sampler(weights, sampling, seed), kept, n_classes)
    masks = read_matching_slices(weights, slices)
    images_SHW = generate_images(sampler, masks, sampling.batch_size)
    write_generated(output, weights, masks, images_SHW, masks.names)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = single_set_parser(__doc__)
    parser.add_argument("--n-classes", type=int, required=True, help="number of the model's classes")
    parser.add_argument(
        "--kept", type=int, nargs="+", required=True, help="mask values that real and generated images share"
    )
    return parser


if __name__ == "__main__":
    run(generate_paired, command_line())
