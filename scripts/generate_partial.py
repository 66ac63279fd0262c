"""Generate several images from each of some test masks, full and partial: figures 3 and 6."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.sampling import Sampling
from segguided.data.halves import measuring_half
from segguided.data.whole_patients import fully_annotated
from segguided.generation.command_lines import add_completer, add_halves_seed, single_set_parser
from segguided.generation.masks.completion import load_completer_for
from segguided.generation.partial_masks import generate_conditions, slices_of_several_classes
from segguided.generation.samplers.any_model import load_sampler
from segguided.generation.sets import read_matching_slices
from segguided.generation.variants import write_variants
from segguided.training.storage import seal_facts


def generate_partial(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    n_classes: int,
    partial_masks: Sequence[Sequence[int]],
    masks: int,
    samples_per_mask: int,
    seed: int,
    output: Path,
    halves_seed: int | None = None,
    completer: Path | None = None,
) -> None:
    """Write a set of images from `masks` test masks: `samples_per_mask` of each mask, full and partial.

    Beside the images are the masks that the model saw; `completer` are the weights of what fills them in.

    With `halves_seed`, the masks are of the measuring half of the test patients.
    """
    sampler = load_sampler(weights, sampling, seed)
    test = measuring_half(read_matching_slices(weights, slices), halves_seed)
    test = fully_annotated(test, "partial masks")
    chosen = slices_of_several_classes(test, masks)
    complete = load_completer_for(completer, chosen, seed, sampling.precision)
    variants = generate_conditions(
        sampler, complete, chosen, n_classes, partial_masks, samples_per_mask, sampling.batch_size
    )
    write_variants(output, variants.images, chosen.names, seal_facts(weights, chosen), variants.masks)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = single_set_parser(__doc__)
    parser.add_argument("--n-classes", type=int, required=True, help="number of the model's classes")
    parser.add_argument("--partial-masks", type=json.loads, required=True, help="lists of kept values, JSON")
    parser.add_argument("--masks", type=int, required=True, help="test masks to generate from")
    parser.add_argument("--samples-per-mask", type=int, required=True, help="images of each")
    add_halves_seed(parser)
    add_completer(parser)
    return parser


if __name__ == "__main__":
    run(generate_partial, command_line())
