"""Measure how alike the images of figure 4 and their real images are, against λ."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from segguided.cli import framed, slices_parser
from segguided.config.reserved import MACRO
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.evaluation.dice import class_counts, held_classes, pooled_dice, with_macro
from segguided.evaluation.likeness import mean_absolute_difference, structural_similarity
from segguided.evaluation.prediction import predict
from segguided.files import table_text
from segguided.generation.variants import read_variants
from segguided.models.segmenter import load_segmenter
from segguided.seals import write_listed
from segguided.training.storage import check_trained_on


def measure_similarity(
    dataset: str, generated: Path, slices: Sequence[Path], evaluator: Path, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows of <results>/similarity/<dataset>.csv, one a λ: likeness of generated and real images.

    ssim: mean and standard deviation over images;
    mae: mean absolute difference, grey levels; dice: of the masks predicted on both, pooled; NaN of
    a class that no test mask holds, which is in no mean.
    """
    network, device = load_segmenter(evaluator), pick_device()
    variants, chosen = read_variants(generated, read_slices(slices))
    check_trained_on(evaluator, chosen)
    real_MHW, rows = predict(network, chosen.images, device), []
    for share, images_MHW in variants.items():
        counts = class_counts(predict(network, images_MHW, device), real_MHW, len(classes), chosen.masks)
        dice_K = with_macro(pooled_dice(counts), held_classes(counts))
        dice = zip((*classes, MACRO), dice_K.tolist(), strict=True)
        ssim_M = structural_similarity(images_MHW, chosen.images)
        row = {"dataset": dataset, "lambda": float(share), "ssim": ssim_M.mean(), "ssim_std": ssim_M.std()}
        row["mae"] = mean_absolute_difference(images_MHW, chosen.images).mean()
        rows.append(row | {f"dice_{name}": value for name, value in dice} | {"images": len(ssim_M)})
    return rows


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--dataset", required=True, help="recorded in the output")
    parser.add_argument("--generated", type=Path, required=True, help="set of variants by λ")
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="of the test patients")
    parser.add_argument("--evaluator", type=Path, required=True, help="segmenter trained on real images")
    parser.add_argument(
        "--classes", nargs="+", required=True, help="names of the dataset's classes, in order"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    torch.set_num_threads(a.threads)
    rows = measure_similarity(a.dataset, a.generated, a.slices, a.evaluator, a.classes)
    write_listed(a.output, table_text(a.output, rows))


if __name__ == "__main__":
    framed(main)
