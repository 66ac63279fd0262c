"""Choose the test masks of which each model generates several images: Table 3's diversity."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run, slices_parser
from segguided.data.slices import read_slices, write_stack
from segguided.data.whole_patients import fully_annotated
from segguided.generation.repeats import repeated_masks


def repeat_masks(slices: Sequence[Path], masks: int, images_per_mask: int, output: Path) -> None:
    """Write about `masks` of the test slices as a slice file, each `images_per_mask` times."""
    test = fully_annotated(read_slices(slices), "diversity")
    write_stack(output, repeated_masks(test, masks, images_per_mask))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="of the test patients")
    parser.add_argument("--masks", type=int, required=True, help="masks to choose")
    parser.add_argument("--images-per-mask", type=int, required=True, help="copies of each")
    parser.add_argument("--output", type=Path, required=True, help="slice file to write")
    return parser


if __name__ == "__main__":
    run(repeat_masks, command_line())
