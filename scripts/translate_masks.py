"""Draw images of one modality from the masks of another: a model of the first, masks of the second."""

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
from segguided.generation.sets import drawing_parser, generate
from segguided.generation.translation import recoded
from segguided.training.storage import seal_facts


def translate_masks(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    values: Sequence[int],
    seed: int,
    output: Path,
) -> None:
    """Write a generated set with an image for every mask of `slices`.

    `values`: for each class of these masks the model's value of the class of that name, 0 where it has none.
    """
    draw = make_draw(*load_denoiser(weights, pick_device()), sampling, seed)
    data = recoded(read_slices(slices), values)
    images = generate(draw, data, sampling.batch_size)
    write_npz(output, seal_facts(weights, data), images=images, names=np.array(data.names))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = drawing_parser(__doc__)
    parser.add_argument(
        "--values", type=int, nargs="+", required=True, help="the model's value of each class; 0: it has none"
    )
    return parser


if __name__ == "__main__":
    run(translate_masks, command_line())
