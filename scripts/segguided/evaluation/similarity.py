"""How alike generated and real images are, and how much images of one mask vary, against λ (figure 4).

Shape letters: K images of a mask, M slices, H height, W width, C classes.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from torch import nn

from segguided.config.reserved import MACRO
from segguided.data.slices import SliceSet
from segguided.devices import pick_device
from segguided.evaluation.dice import (
    class_counts,
    classes_in_masks,
    dice_by_class,
    dice_of_counts,
    with_macro,
)
from segguided.evaluation.image_pairs import mean_absolute_difference, structural_similarity
from segguided.evaluation.likeness.diversity import OUTSIDE, real_variation, relative_diversity
from segguided.evaluation.likeness.units import units_of
from segguided.evaluation.prediction import predict
from segguided.evaluation.records import Record
from segguided.generation.variants import SEPARATOR


def similarity_rows(
    variants: Mapping[str, np.ndarray],
    real: SliceSet,
    reference: SliceSet,
    evaluator: nn.Module,
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """A row for each λ: its images (M, H, W) by `λ/number`, and the `real` images of the same masks.

    ssim: mean, and standard deviation over images (ssim_std); mae: mean absolute difference, grey levels;
    dice_CLASS: of the masks that the evaluator predicts on both, pooled. These compare with the real image.
    Between images of one mask that differ by their noise alone: diversity_CLASS as in Table 3, over the
    variation of the real patients of `reference`, and variation_CLASS, 1 − Dice of the masks that the
    evaluator predicts on two of them. NaN of a class that no test mask holds, which is in no mean.
    """
    real_MHW = predict(evaluator, real.images, pick_device())
    real_C = real_variation(real, reference, len(class_names) + 1)
    rows = []
    for share, images_KMHW in _by_share(variants).items():
        predicted_KMHW = np.stack(
            [predict(evaluator, images_MHW, pick_device()) for images_MHW in images_KMHW]
        )
        row: dict[str, Any] = {"lambda": float(share)}
        row |= _likeness(images_KMHW, predicted_KMHW, real, real_MHW, class_names)
        row |= _diversity(images_KMHW, real, real_C, class_names)
        row |= _variation(predicted_KMHW, real.masks, class_names)
        rows.append({**row, "images": images_KMHW.shape[0] * images_KMHW.shape[1]})
    return rows


def _by_share(variants: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The images (K, M, H, W) of each λ."""
    images: dict[str, list[np.ndarray]] = {}
    for variant, images_MHW in variants.items():
        images.setdefault(variant.split(SEPARATOR)[0], []).append(images_MHW)
    return {share: np.stack(of_share) for share, of_share in images.items()}


def _likeness(
    images_KMHW: np.ndarray,
    predicted_KMHW: np.ndarray,
    real: SliceSet,
    real_MHW: np.ndarray,
    class_names: Sequence[str],
) -> dict[str, float]:
    """How alike the images and the real ones are."""
    ssim_KM = np.stack([structural_similarity(images_MHW, real.images) for images_MHW in images_KMHW])
    mae_KM = np.stack([mean_absolute_difference(images_MHW, real.images) for images_MHW in images_KMHW])
    counts = np.concatenate(
        [class_counts(masks_MHW, real_MHW, len(class_names), real.masks) for masks_MHW in predicted_KMHW]
    )
    dice = {f"dice_{name}": dice for name, dice in dice_by_class(counts, class_names).items()}
    return {
        "ssim": float(ssim_KM.mean()),
        "ssim_std": float(ssim_KM.std()),
        "mae": float(mae_KM.mean()),
        **dice,
    }


def _diversity(
    images_KMHW: np.ndarray, real: SliceSet, real_C: np.ndarray, class_names: Sequence[str]
) -> Record:
    """diversity_CLASS of each class, of their mean, and of the pixels of no class."""
    record = relative_diversity(images_KMHW, real, real_C, class_names, units_of(real))
    names = (*class_names, MACRO, OUTSIDE)
    return {f"diversity_{name}": record[f"likeness.diversity.{name}"] for name in names}


def _variation(
    predicted_KMHW: np.ndarray, masks_MHW: np.ndarray, class_names: Sequence[str]
) -> dict[str, float]:
    """variation_CLASS of each class, and of their mean: 1 − Dice, pooled over pairs of images of a mask."""
    counts_NC4 = np.concatenate(
        [
            class_counts(first_MHW, second_MHW, len(class_names), masks_MHW)
            for first_MHW, second_MHW in combinations(predicted_KMHW, 2)
        ]
    )
    present_C = classes_in_masks(counts_NC4)
    dice_C = np.where(present_C, dice_of_counts(counts_NC4.sum(axis=0)), np.nan)
    names = [f"variation_{name}" for name in (*class_names, MACRO)]
    return dict(zip(names, with_macro(1 - dice_C, present_C).tolist(), strict=True))
