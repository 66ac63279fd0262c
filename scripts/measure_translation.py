"""Measure translated images: Dice with their masks, and likeness to the target modality's own image."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segguided.cli import framed, slices_parser
from segguided.config.reserved import MACRO
from segguided.data.slices import SliceSet, read_generated, read_slices
from segguided.devices import pick_device
from segguided.evaluation.dice import class_counts, held_classes, pooled_dice, with_macro
from segguided.evaluation.likeness import mean_absolute_difference, structural_similarity
from segguided.evaluation.prediction import predict
from segguided.files import write_table
from segguided.generation.translation import files_of_same_patients, in_target_classes, shared_slices
from segguided.models.segmenter import load_segmenter
from segguided.training.storage import check_trained_on


def measure_translation(
    slices: SliceSet, generated: SliceSet, own: SliceSet | None, evaluator: nn.Module, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows of measures: `value` over `images` images.

    dice_CLASS: mask predicted on the translated image against the input mask; NaN of a class that no input
    mask holds, which is in no mean. Where `own` holds images of the
    target modality of the same ids: ssim and mae (grey levels) of the translated image with it; to compare,
    ssim_untranslated and mae_untranslated of the source modality's image with it.
    """
    counts = class_counts(predict(evaluator, generated.images, pick_device()), generated.masks, len(classes))
    dice_K = with_macro(pooled_dice(counts), held_classes(counts))
    dice = zip((*classes, MACRO), dice_K.tolist(), strict=True)
    rows = [{"measure": f"dice_{name}", "value": value, "images": len(generated)} for name, value in dice]
    if own:
        found_S, targets = shared_slices(slices, own)
        for suffix, images in (("", generated.images), ("_untranslated", slices.images)):
            ssim = structural_similarity(images[found_S], targets).mean()
            mae = mean_absolute_difference(images[found_S], targets).mean()
            for name, value in (("ssim", ssim), ("mae", mae)):
                rows.append({"measure": name + suffix, "value": value, "images": len(targets)})
    return rows


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="whose masks were drawn from")
    parser.add_argument("--generated", type=Path, required=True, help="the translated images")
    parser.add_argument(
        "--own", type=Path, nargs="*", default=[], help="of the target modality; read are the same patients"
    )
    parser.add_argument("--evaluator", type=Path, required=True, help="segmenter of the target modality")
    parser.add_argument(
        "--mask-classes", nargs="+", required=True, help="names of the masks' classes, in order"
    )
    parser.add_argument("--classes", nargs="+", required=True, help="names of the model's classes, in order")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    torch.set_num_threads(a.threads)
    slices = in_target_classes(read_slices(a.slices), a.mask_classes, a.classes)
    found = files_of_same_patients(a.own, a.slices)
    own = read_slices(found) if found else None
    generated = slices.with_images(*read_generated(a.generated, slices))
    if own:
        check_trained_on(a.evaluator, own)
    evaluator = load_segmenter(a.evaluator)
    write_table(a.output, measure_translation(slices, generated, own, evaluator, a.classes))


if __name__ == "__main__":
    framed(main)
