"""Generate images from masks with only some classes kept: the generated half of the paired dataset."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.sampling import Sampling
from segguided.data.whole_patients import fully_annotated
from segguided.generation.command_lines import add_completer, single_set_parser
from segguided.generation.masks.completion import load_completer_for
from segguided.generation.partial_masks import GivenClasses, generate_from_partial_masks
from segguided.generation.samplers.any_model import load_sampler
from segguided.generation.sets import read_matching_slices, write_generated


def generate_paired(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    n_classes: int,
    kept: Sequence[int],
    seed: int,
    output: Path,
    completer: Path | None = None,
) -> None:
    """Write a generated set with an image for every mask of `slices`, guided by only the values `kept`.

    Beside the images are the masks that the model saw; `completer` are the weights of what fills them in.
    """
    sampler = load_sampler(weights, sampling, seed)
    masks = fully_annotated(read_matching_slices(weights, slices), "paired images")
    complete = load_completer_for(completer, masks, seed, sampling.precision)
    given = GivenClasses(kept, n_classes, complete)
    images_SHW, seen_SHW = generate_from_partial_masks(sampler, given, masks, sampling.batch_size)
    write_generated(output, weights, masks, images_SHW, masks.names, seen_SHW)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = single_set_parser(__doc__)
    parser.add_argument("--n-classes", type=int, required=True, help="number of the model's classes")
    parser.add_argument(
        "--kept", type=int, nargs="+", required=True, help="mask values that real and generated images share"
    )
    add_completer(parser)
    return parser


if __name__ == "__main__":
    run(generate_paired, command_line())
