"""Generate images of one modality from images and masks of another: noised images are where it starts."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.experiments import TranslationStart
from segguided.config.sampling import Generation
from segguided.data.slices import read_slices
from segguided.data.whole_patients import fully_annotated
from segguided.generation.command_lines import add_real_start, single_set_parser
from segguided.generation.near_real.matching import matched
from segguided.generation.near_real.start import RealStart
from segguided.generation.sets import read_matching_slices
from segguided.generation.similarity import SimilaritySampler
from segguided.generation.translation import IMAGE, MATCHED, with_mask_values
from segguided.generation.variants import write_variants
from segguided.training.storage import seal_facts


def translate_images(
    weights: Path,
    slices: Sequence[Path],
    train: Sequence[Path],
    sampling: Generation,
    translation: TranslationStart,
    values: Sequence[int],
    seed: int,
    output: Path,
    sampler: SimilaritySampler = "ddim",
) -> None:
    """Write two images of every mask of `slices`: one starts from its image, one from its matched image.

    A matched image has in each class the grey values of `train`, slices that the model was trained on: see
    `matched`.
    `values`: for each class of these masks the model's value of the class of that name, 0 where it has none.
    """
    start = RealStart(weights, sampling, translation, seed, sampler)
    source = with_mask_values(read_slices(slices), values, start.n_classes)
    target = fully_annotated(read_matching_slices(weights, train), "matching of grey values")
    like_target = matched(source, target, start.n_classes)
    variants = {
        variant: start.images(images, [translation.share])[0]
        for variant, images in ((IMAGE, source), (MATCHED, like_target))
    }
    write_variants(output, variants, source.names, seal_facts(weights, source))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = single_set_parser(__doc__, Generation)
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="slices of the model's training")
    parser.add_argument(
        "--translation", type=TranslationStart.from_json, required=True, help="settings, JSON"
    )
    parser.add_argument(
        "--values", type=int, nargs="+", required=True, help="the model's value of each class; 0: it has none"
    )
    add_real_start(parser)
    return parser


if __name__ == "__main__":
    run(translate_images, command_line())
