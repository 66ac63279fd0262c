"""Generate images of test patients of whose masks a class is removed, grown, shrunk, moved, or another's."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.experiments import Counterfactuals
from segguided.config.sampling import Generation
from segguided.data.halves import measuring_half
from segguided.data.whole_patients import fully_annotated
from segguided.generation.command_lines import add_halves_seed, add_real_start, single_set_parser
from segguided.generation.near_real.counterfactuals import counterfactual_images, edit_masks
from segguided.generation.near_real.start import RealStart
from segguided.generation.sets import read_matching_slices
from segguided.generation.similarity import SimilaritySampler
from segguided.generation.variants import write_variants
from segguided.training.storage import seal_facts


def generate_counterfactual(
    weights: Path,
    slices: Sequence[Path],
    donors: Sequence[Path],
    sampling: Generation,
    counterfactuals: Counterfactuals,
    n_classes: int,
    edited_class: int,
    seed: int,
    output: Path,
    halves_seed: int | None = None,
    sampler: SimilaritySampler = "ddim",
) -> None:
    """Write the variants of `counterfactual_images` for each edit, and beside the images the edited masks.

    With `halves_seed`, the masks are of the measuring half of the test patients.
    """
    start = RealStart(weights, sampling, counterfactuals, seed, sampler)
    test = measuring_half(read_matching_slices(weights, slices), halves_seed)
    test = fully_annotated(test, "counterfactuals")
    others = fully_annotated(read_matching_slices(weights, donors), "counterfactuals")
    edited = edit_masks(test, others, edited_class, n_classes, counterfactuals)
    variants = counterfactual_images(start, edited, counterfactuals.share)
    facts = seal_facts(weights, edited.slices)
    write_variants(output, variants.images, edited.slices.names, facts, variants.masks)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = single_set_parser(__doc__, Generation)
    parser.add_argument(
        "--donors",
        type=Path,
        nargs="+",
        required=True,
        help="slices of other patients, whose class is taken",
    )
    parser.add_argument(
        "--counterfactuals", type=Counterfactuals.from_json, required=True, help="settings, JSON"
    )
    parser.add_argument("--n-classes", type=int, required=True, help="number of the model's classes")
    parser.add_argument("--edited-class", type=int, required=True, help="mask value of the class")
    add_real_start(parser)
    add_halves_seed(parser)
    return parser


if __name__ == "__main__":
    run(generate_counterfactual, command_line())
