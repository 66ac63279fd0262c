"""Generate images of adjustable similarity to the real image of a test mask (figure 4)."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.experiments import Similarity
from segguided.config.sampling import Generation
from segguided.data.halves import measuring_half
from segguided.data.whole_patients import fully_annotated
from segguided.devices import pick_device
from segguided.generation.command_lines import (
    add_completer,
    add_halves_seed,
    add_real_start,
    single_set_parser,
)
from segguided.generation.diffusion import load_denoiser
from segguided.generation.masks.completion import load_completer_for
from segguided.generation.partial_masks import GivenClasses, slices_of_several_classes
from segguided.generation.sets import read_matching_slices
from segguided.generation.similarity import SimilaritySampler, generate_by_similarity
from segguided.generation.variants import write_variants
from segguided.training.storage import seal_facts


def generate_similar(
    weights: Path,
    slices: Sequence[Path],
    sampling: Generation,
    similarity: Similarity,
    n_classes: int,
    kept: Sequence[int],
    seed: int,
    output: Path,
    halves_seed: int | None = None,
    completer: Path | None = None,
    sampler: SimilaritySampler = "ddim",
) -> None:
    """Write a set with a variant for each λ, and `0`: the image that only the partial mask constrains.

    With `halves_seed`, the masks are of the measuring half of the test patients.
    """
    network, model = load_denoiser(weights, pick_device())
    test = measuring_half(read_matching_slices(weights, slices), halves_seed)
    test = fully_annotated(test, "adjustable similarity")
    chosen = slices_of_several_classes(test, similarity.masks)
    complete = load_completer_for(completer, chosen, seed, sampling.precision)
    given = GivenClasses(kept, n_classes, complete)
    variants = generate_by_similarity(network, model, sampling, chosen, given, similarity, seed, sampler)
    write_variants(output, variants, chosen.names, seal_facts(weights, chosen))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = single_set_parser(__doc__, Generation)
    parser.add_argument("--similarity", type=Similarity.from_json, required=True, help="settings, JSON")
    parser.add_argument("--n-classes", type=int, required=True, help="number of the model's classes")
    parser.add_argument("--kept", type=int, nargs="+", required=True, help="mask values that are kept")
    add_real_start(parser)
    add_halves_seed(parser)
    add_completer(parser)
    return parser


if __name__ == "__main__":
    run(generate_similar, command_line())
