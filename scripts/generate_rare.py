"""Generate images from new masks with a rare class, made of held-out masks."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.experiments import AllowedChanges
from segguided.config.sampling import Sampling
from segguided.data.whole_patients import fully_annotated
from segguided.generation.command_lines import single_set_parser
from segguided.generation.diffusion import load_sampler
from segguided.generation.rare import make_rare_masks, write_rare_set
from segguided.generation.sets import generate_images, read_matching_slices
from segguided.training.storage import seal_facts


def generate_rare(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    n_classes: int,
    rare_class: int | None,
    images: int,
    changes: AllowedChanges,
    seed: int,
    output: Path,
) -> None:
    """Write `images` generated images with their new masks; the ids are `id of the mask's source/copy`.

    `rare_class` None: the class with the fewest pixels in `slices`. The `seed` decides masks and noise.
    """
    sampler = load_sampler(weights, sampling, seed)
    held_out = fully_annotated(read_matching_slices(weights, slices), "rare cases")
    masks = make_rare_masks(held_out, rare_class, n_classes, images, changes, seed)
    images_NHW = generate_images(sampler, masks.slices, sampling.batch_size)
    write_rare_set(output, seal_facts(weights, held_out), masks, images_NHW)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = single_set_parser(__doc__)
    parser.add_argument("--n-classes", type=int, required=True, help="number of the model's classes")
    parser.add_argument("--rare-class", type=int, help="mask value; without it, the class of fewest pixels")
    parser.add_argument("--images", type=int, required=True, help="how many to generate")
    parser.add_argument("--changes", type=AllowedChanges.from_json, required=True, help="of the masks, JSON")
    return parser


if __name__ == "__main__":
    run(generate_rare, command_line())
