"""Measure translated images: Dice with their masks, and likeness to the target modality's own image."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.data.halves import measuring_half
from segguided.data.slices import read_generated, read_slices
from segguided.evaluation.command_line import measuring_parser
from segguided.evaluation.prediction import load_segmenter_for
from segguided.evaluation.translation import start_rows, translation_rows
from segguided.files import write_table
from segguided.generation.command_lines import add_halves_seed
from segguided.generation.translation import files_of_same_patients, in_target_classes
from segguided.generation.variants import read_variants
from segguided.models.segmenter import load_segmenter


def measure_translation(
    slices: Sequence[Path],
    generated: Path,
    own: Sequence[Path],
    evaluator: Path,
    mask_classes: Sequence[str],
    classes: Sequence[str],
    output: Path,
    halves_seed: int | None = None,
    from_images: Path | None = None,
) -> None:
    """Write a row a measure, see `translation_rows`; `own`: slices of the target modality, any patients.

    `from_images`: images of the same masks that start from the images themselves, see `start_rows`.

    With `halves_seed`, of the measuring half of the test patients.
    """
    whole = in_target_classes(read_slices(slices), mask_classes, classes)
    translated = measuring_half(whole.with_images(*read_generated(generated, whole)), halves_seed)
    source = measuring_half(whole, halves_seed)
    shared = files_of_same_patients(own, slices)
    target = read_slices(shared) if shared else None
    segmenter = load_segmenter_for(target, evaluator) if target else load_segmenter(evaluator)
    rows = translation_rows(source, translated, target, segmenter, classes)
    if from_images:
        variants, _ = read_variants(from_images, whole)
        started = {
            name: measuring_half(whole.with_images(images_SHW, whole.names), halves_seed)
            for name, images_SHW in variants.items()
        }
        rows += start_rows(translated, started, target, segmenter, classes)
    columns = ("measure", "value", "low", "high", "images")
    write_table(output, [{column: row.get(column) for column in columns} for row in rows])


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = measuring_parser(__doc__)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="whose masks were translated")
    parser.add_argument("--generated", type=Path, required=True, help="the translated images")
    parser.add_argument("--from-images", type=Path, help="those that start from the images themselves")
    parser.add_argument(
        "--own", type=Path, nargs="*", default=[], help="of the target modality; the same patients' are read"
    )
    parser.add_argument(
        "--mask-classes", nargs="+", required=True, help="names of the masks' classes, in order"
    )
    add_halves_seed(parser)
    return parser


if __name__ == "__main__":
    run(measure_translation, command_line())
