"""Generate masks from nothing but a seed, and an image of each: figure 1."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.sampling import Sampling
from segguided.data.spread import evenly_spread
from segguided.generation.command_lines import add_completer, single_set_parser
from segguided.generation.diffusion import load_sampler
from segguided.generation.masks.completion import load_completer_for
from segguided.generation.partial_masks import GivenClasses, generate_from_partial_masks
from segguided.generation.sets import read_matching_slices, write_generated

NOTHING: tuple[int, ...] = ()  # no class is kept


def generate_free(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    n_classes: int,
    count: int,
    seed: int,
    output: Path,
    completer: Path,
) -> None:
    """Write a generated set of `count` images, and the masks that they follow: labels of their own.

    Of `slices` only the mask ids count, each of which gives another mask; `completer`: the weights of what
    makes the masks.
    """
    sampler = load_sampler(weights, sampling, seed)
    named = evenly_spread(read_matching_slices(weights, slices), count)
    given = GivenClasses(NOTHING, n_classes, load_completer_for(completer, named, seed, sampling.precision))
    images_NHW, masks_NHW = generate_from_partial_masks(sampler, given, named, sampling.batch_size)
    write_generated(output, weights, named, images_NHW, named.names, masks_NHW)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = single_set_parser(__doc__)
    parser.add_argument("--n-classes", type=int, required=True, help="number of the model's classes")
    parser.add_argument("--count", type=int, required=True, help="masks, and images, to make")
    add_completer(parser)
    return parser


if __name__ == "__main__":
    run(generate_free, command_line())
