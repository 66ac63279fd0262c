"""Draw images from test masks of which only some classes are kept, several for each: figures 3 and 6."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.sampling import Sampling
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.generation.diffusion import load_denoiser, make_draw
from segguided.generation.partial_masks import draw_partial, spread_slices
from segguided.generation.sets import drawing_parser
from segguided.generation.variants import write_variants
from segguided.training.storage import check_trained_on, seal_facts


def generate_partial(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    n_classes: int,
    partial_masks: Sequence[Sequence[int]],
    masks: int,
    draws: int,
    seed: int,
    output: Path,
) -> None:
    """Write a set with `draws` images of each of `masks` test masks, full and in each partial form."""
    draw = make_draw(*load_denoiser(weights, pick_device()), sampling, seed)
    chosen = spread_slices(read_slices(slices), masks)
    check_trained_on(weights, chosen)
    variants = draw_partial(draw, chosen, n_classes, partial_masks, draws, sampling.batch_size)
    write_variants(output, variants, chosen.names, seal_facts(weights, chosen))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = drawing_parser(__doc__)
    parser.add_argument("--n-classes", type=int, required=True, help="number of the model's classes")
    parser.add_argument("--partial-masks", type=json.loads, required=True, help="lists of kept values, JSON")
    parser.add_argument("--masks", type=int, required=True, help="test masks to draw from")
    parser.add_argument("--draws", type=int, required=True, help="images a mask")
    return parser


if __name__ == "__main__":
    run(generate_partial, command_line())
