"""Of the images of each mask, those whose segmentation agrees best with the mask are kept.

Shape letters: B batch, H height, W width.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from segguided.app.generate import IMAGES, MANIFEST, REJECTED
from segguided.app.mask_inputs import UserMasks
from segguided.app.planned_images import MadeImage, Wanted
from segguided.app.segmenters import Chooser
from segguided.data.formats.png import read_pixels
from segguided.devices import pick_device
from segguided.evaluation.dice import class_counts, dice_under_masks
from segguided.evaluation.prediction import BATCH, predict
from segguided.files import table_text, write_text
from segguided.models.segmenter import load_segmenter
from segguided.text_tables import read_table

LOG = logging.getLogger("segguided")


def keep_best(
    made: Sequence[MadeImage],
    masks: UserMasks,
    wanted: Wanted,
    chooser: Chooser,
    n_classes: int,
    output: Path,
) -> list[MadeImage]:
    """Move the images that are not among the `wanted.keep` best of their mask to rejected/.

    manifest.csv gains for each image its agreement with the mask, whether it is kept, and the share of all
    images that is rejected. Returns the images kept, with `rank` from 1, the best. Nothing is random, so the
    same call after an interruption moves the same files.
    """
    assert wanted.keep is not None
    agreements = list(_agreements(made, masks, wanted, chooser, n_classes))
    ranks = _ranks(made, agreements)
    kept = [rank <= wanted.keep for rank in ranks]
    _write_manifest(output / MANIFEST, made, agreements, kept)
    for image, is_kept in zip(made, kept, strict=True):
        _put(output, image.file.name, IMAGES if is_kept else REJECTED)
    _report(agreements, kept)
    return [
        replace(image, file=output / IMAGES / image.file.name, rank=rank)
        for image, rank, is_kept in zip(made, ranks, kept, strict=True)
        if is_kept
    ]


def agreement(predicted_HW: np.ndarray, mask_HW: np.ndarray, counted: Sequence[int], n_classes: int) -> float:
    """Macro Dice over those of the classes `counted` that the mask has; NaN where it has none of them."""
    counts_C4 = class_counts(predicted_HW[np.newaxis], mask_HW[np.newaxis], n_classes)[0]
    dice = dice_under_masks(counts_C4)[[value - 1 for value in counted]]
    there = dice[np.isfinite(dice)]
    return float(there.mean()) if len(there) else float("nan")


def _agreements(
    made: Sequence[MadeImage], masks: UserMasks, wanted: Wanted, chooser: Chooser, n_classes: int
) -> Iterator[float]:
    """Of each image with the classes that its mask gives; free classes are not counted."""
    network = load_segmenter(chooser.weights)
    counted = [value for value in range(1, n_classes + 1) if value not in wanted.free]
    for start in tqdm(range(0, len(made), BATCH), desc="segmenting", disable=None, unit="batch"):
        batch = made[start : start + BATCH]
        images_BHW = np.stack([read_pixels(image.file, chooser.channels) for image in batch])
        predicted_BHW = predict(network, images_BHW, pick_device())
        for image, predicted_HW in zip(batch, predicted_BHW, strict=True):
            yield agreement(predicted_HW, masks.masks_NHW[image.row], counted, n_classes)


def _ranks(made: Sequence[MadeImage], agreements: Sequence[float]) -> list[int]:
    """Each image's place among those of its mask, from 1; of equal ones the earlier is the better."""
    ranks = [0] * len(made)
    for row in {image.row for image in made}:
        numbers = [number for number, image in enumerate(made) if image.row == row]
        numbers.sort(key=lambda number: -np.nan_to_num(agreements[number]))  # a stable sort
        for rank, number in enumerate(numbers, 1):
            ranks[number] = rank
    return ranks


def _write_manifest(
    manifest: Path, made: Sequence[MadeImage], agreements: Sequence[float], kept: Sequence[bool]
) -> None:
    rejected = f"{kept.count(False) / len(kept):.4f}"
    rows = []
    for row, image, dice, is_kept in zip(read_table(manifest, ",").rows, made, agreements, kept, strict=True):
        folder = IMAGES if is_kept else REJECTED
        chosen = {
            "agreement": "" if np.isnan(dice) else f"{dice:.6f}",
            "kept": str(int(is_kept)),
            "rejection_rate": rejected,
        }
        rows.append({**row, "image": f"{folder}/{image.file.name}", **chosen})
    write_text(manifest, table_text(manifest, rows))


def _put(output: Path, name: str, folder: str) -> None:
    """Move an image to its folder, unless it is there."""
    other = output / (REJECTED if folder == IMAGES else IMAGES) / name
    if other.is_file():
        (output / folder).mkdir(exist_ok=True)
        other.replace(output / folder / name)


def _report(agreements: Sequence[float], kept: Sequence[bool]) -> None:
    means = {}
    for is_kept in (True, False):
        known = [dice for dice, k in zip(agreements, kept, strict=True) if k == is_kept and np.isfinite(dice)]
        means[is_kept] = f"{np.mean(known):.3f}" if known else "unknown"
    LOG.info(
        "kept %d of %d images, rejected %.0f %%; macro Dice with their masks: %s of those kept, %s of those "
        "rejected",
        kept.count(True), len(kept), 100 * kept.count(False) / len(kept), means[True], means[False],
    )  # fmt: skip
