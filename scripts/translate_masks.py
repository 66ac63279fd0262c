"""Generate images of one modality from the masks of another: a model of the first, masks of the second."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.sampling import Sampling
from segguided.data.slices import read_slices
from segguided.generation.command_lines import single_set_parser
from segguided.generation.diffusion import load_sampler
from segguided.generation.sets import generate_images, write_generated
from segguided.generation.translation import with_mask_values
from segguided.training.storage import read_description


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
    sampler = load_sampler(weights, sampling, seed)
    masks = with_mask_values(read_slices(slices), values, int(read_description(weights)["n_classes"]))
    images_SHW = generate_images(sampler, masks, sampling.batch_size)
    write_generated(output, weights, masks, images_SHW, masks.names)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = single_set_parser(__doc__)
    parser.add_argument(
        "--values", type=int, nargs="+", required=True, help="the model's value of each class; 0: it has none"
    )
    return parser


if __name__ == "__main__":
    run(translate_masks, command_line())
