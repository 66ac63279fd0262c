"""Draw images from masks of which only some classes are kept: the generated half of the paired dataset."""

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
from segguided.generation.partial_masks import partial_draw
from segguided.generation.sets import drawing_parser, generate
from segguided.training.storage import check_trained_on, seal_facts


def generate_paired(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    kept: Sequence[int],
    seed: int,
    output: Path,
) -> None:
    """Write a generated set with an image for every mask of `slices`, drawn with only the values `kept`."""
    draw = make_draw(*load_denoiser(weights, pick_device()), sampling, seed)
    data = read_slices(slices)
    check_trained_on(weights, data)
    images_SHW = generate(partial_draw(draw, kept), data, sampling.batch_size)
    write_npz(output, seal_facts(weights, data), images=images_SHW, names=np.array(data.names))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = drawing_parser(__doc__)
    parser.add_argument(
        "--kept", type=int, nargs="+", required=True, help="mask values that real and generated images share"
    )
    return parser


if __name__ == "__main__":
    run(generate_paired, command_line())
