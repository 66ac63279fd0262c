"""Write the paired dataset: real images, and generated ones that share only the kept classes with them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.models import Sampling
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.generation import drawing_parser, generate, with_threads
from segguided.models.drawing import load_denoiser, make_draw
from segguided.models.storage import check_trained_on
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
    check_trained_on(weights, data)
    images_SHW = generate(partial_draw(draw, class_indices(classes, kept)), data, sampling.batch_size)
    write_pairs(output, data, images_SHW, classes, kept)


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = drawing_parser(__doc__)
    parser.add_argument(
        "--kept", nargs="+", required=True, help="classes that real and generated images share"
    )
    return parser.parse_args()


def main() -> None:
    """Script body."""
    pair_images(**with_threads(parse_arguments()))


if __name__ == "__main__":
    run(main)
