"""Join the shards of generated sets; a set has the same bytes as one that a single job generated."""

import argparse
from pathlib import Path

import numpy as np

from segguided.cli import run, slices_parser
from segguided.data.formats.npz import write_npz
from segguided.data.slices import read_slices
from segguided.generation.shards import gather_shards


def gather_images(sets: list[list[Path]], shards: list[list[Path]], outputs: list[Path]) -> None:
    """For each set of slice files write an .npz with `images` (S, H, W) and the mask ids `names`.

    Raises ValueError where a set's shards are not complete and in order.
    """
    for paths, parts, output in zip(sets, shards, outputs, strict=True):
        names = read_slices(paths).names
        images_SHW, facts = gather_shards(parts, names)
        write_npz(output, facts, images=images_SHW, names=np.array(names))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script: slices, shards in order and output, once a set."""
    parser = slices_parser(__doc__)
    for name, dest in (("--slices", "sets"), ("--shards", "shards")):
        parser.add_argument(name, dest=dest, type=Path, nargs="+", action="append", required=True)
    parser.add_argument("--output", dest="outputs", type=Path, action="append", required=True)
    return parser


if __name__ == "__main__":
    run(gather_images, command_line())
