"""Write the paired dataset: real images, and generated ones that share only the kept classes with them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run, slices_parser
from segguided.data.slices import read_generated, read_seen_masks, read_slices
from segguided.data.whole_patients import fully_annotated
from segguided.generation.pairs import write_pairs


def pair_images(
    slices: Sequence[Path], generated: Path, classes: Sequence[str], kept: Sequence[str], output: Path
) -> None:
    """Write the zip to `output`; `generated`: an image for every mask of `slices`, with its mask."""
    real = fully_annotated(read_slices(slices), "paired images")
    images_NHW, names = read_generated(generated, real)
    images_SHW = real.with_images(images_NHW, names).images
    masks_SHW = read_seen_masks(generated, images_NHW)  # in the order of the slices, as the images are
    write_pairs(output, real, images_SHW, masks_SHW, classes, kept)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="the real images and masks")
    parser.add_argument("--generated", type=Path, required=True, help="images generated from these masks")
    parser.add_argument("--classes", nargs="+", required=True, help="names of the classes, in order")
    parser.add_argument(
        "--kept", nargs="+", required=True, help="classes that real and generated images share"
    )
    parser.add_argument("--output", type=Path, required=True, help="zip to write")
    return parser


if __name__ == "__main__":
    run(pair_images, command_line())
