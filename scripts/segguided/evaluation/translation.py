"""How good translated images are: Dice with their masks, likeness to the target modality's own images.

Shape letters: S slices, n slices that both modalities show, P patients, H height, W width.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from segguided.data.slices import SliceSet
from segguided.devices import pick_device
from segguided.evaluation.comparisons import paired_difference
from segguided.evaluation.dice import class_counts, dice_by_class, nan_mean, per_patient_dice
from segguided.evaluation.image_pairs import mean_absolute_difference, structural_similarity
from segguided.evaluation.prediction import predict
from segguided.generation.translation import shared_slices


def translation_rows(
    source: SliceSet,
    generated: SliceSet,
    target: SliceSet | None,
    evaluator: nn.Module,
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """Rows of measures: `value` over `images` images.

    `source` holds masks and images of one modality, `generated` images of the other from the same masks.
    dice_CLASS: mask predicted on the generated image against the input mask; NaN of a class that no input
    mask holds, which is in no mean. Where `target` holds the target modality's own images of the same ids:
    ssim and mae (grey levels) of the generated image with it; to compare, ssim_untranslated and
    mae_untranslated of the source modality's image with it.
    """
    predicted_SHW = predict(evaluator, generated.images, pick_device())
    missing_SV = generated.not_annotated
    counts = class_counts(predicted_SHW, generated.masks, len(class_names), not_annotated_SV=missing_SV)
    rows = [
        {"measure": f"dice_{name}", "value": dice, "images": len(generated)}
        for name, dice in dice_by_class(counts, class_names).items()
    ]
    if target:
        rows += _likeness_rows(generated, target, "")
        rows += _likeness_rows(source, target, "_untranslated")
    return rows


def start_rows(
    alone: SliceSet,
    started: Mapping[str, SliceSet],
    target: SliceSet | None,
    evaluator: nn.Module,
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """The same measures of images that start from the source's, by the name of the start, as `…_from_NAME`.

    And, as `…_minus_mask`, the mean over patients of dice_macro and mae minus those of images of the masks
    `alone`, with the paired 95 % interval (`low`, `high`) where there are two patients or more.
    """
    dice_P = _patients_dice(alone, evaluator, len(class_names))
    mae_P = _patients_mae(alone, target)
    rows = []
    for name, slices in started.items():
        for row in translation_rows(slices, slices, None, evaluator, class_names):
            rows.append({**row, "measure": f"{row['measure']}_from_{name}"})
        started_P = _patients_dice(slices, evaluator, len(class_names))
        rows.append(_difference_row(f"dice_macro_from_{name}", started_P, dice_P, len(slices)))
        if target:
            rows += _likeness_rows(slices, target, f"_from_{name}")
            started_P = _patients_mae(slices, target)
            rows.append(_difference_row(f"mae_from_{name}", started_P, mae_P, rows[-1]["images"]))
    return rows


def _difference_row(measure: str, values_P: np.ndarray, alone_P: np.ndarray, images: int) -> dict[str, Any]:
    difference = paired_difference(values_P[None], alone_P[None])
    interval = difference.interval
    limits = {"low": interval.low, "high": interval.high} if interval else {}
    return {"measure": f"{measure}_minus_mask", "value": difference.mean, **limits, "images": images}


def _patients_dice(slices: SliceSet, evaluator: nn.Module, n_classes: int) -> np.ndarray:
    """Of each patient the mean Dice over the classes of its masks, (P,)."""
    predicted_SHW = predict(evaluator, slices.images, pick_device())
    missing_SV = slices.not_annotated
    counts_SC4 = class_counts(predicted_SHW, slices.masks, n_classes, not_annotated_SV=missing_SV)
    return np.array([nan_mean(dice_C) for dice_C in per_patient_dice(counts_SC4, slices.patients).values()])


def _patients_mae(slices: SliceSet, target: SliceSet | None) -> np.ndarray:
    """Of each patient the mean absolute difference to the target's own images, (P,); NaN without any."""
    values_S = np.full(len(slices), np.nan)
    if target:
        shared_S, targets_nHW = shared_slices(slices, target)
        values_S[shared_S] = mean_absolute_difference(slices.images[shared_S], targets_nHW)
    return np.array([nan_mean(values_S[slices.patients == stack.patient]) for stack in slices.stacks])


def _likeness_rows(slices: SliceSet, target: SliceSet, suffix: str) -> list[dict[str, Any]]:
    """SSIM and mean absolute difference of the images of the slices that both hold."""
    shared_S, targets_nHW = shared_slices(slices, target)
    images_nHW = slices.images[shared_S]
    ssim = structural_similarity(images_nHW, targets_nHW).mean()
    mae = mean_absolute_difference(images_nHW, targets_nHW).mean()
    return [
        {"measure": f"ssim{suffix}", "value": ssim, "images": len(targets_nHW)},
        {"measure": f"mae{suffix}", "value": mae, "images": len(targets_nHW)},
    ]
