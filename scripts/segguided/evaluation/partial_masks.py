"""What partial masks do, in numbers: constrained classes are kept, free classes vary from image to image.

Shape suffixes: D images of each mask, M masks, H and W pixels, C foreground classes; a trailing 4 holds the
counts of `class_counts`.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from torch import nn

from segguided.config.reserved import FULL, MACRO
from segguided.devices import pick_device
from segguided.evaluation.dice import class_counts, classes_in_masks, dice_of_counts, pooled_dice, ratio
from segguided.evaluation.prediction import predict
from segguided.generation.variants import SEPARATOR, kept_classes


def predict_conditions(segmenter: nn.Module, variants: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Masks (D, M, H, W) uint8 of each condition, from the images (M, H, W) of its variants."""
    predictions: dict[str, list[np.ndarray]] = {}
    for variant, images_MHW in variants.items():
        condition = variant.rsplit(SEPARATOR, 1)[0]
        predictions.setdefault(condition, []).append(predict(segmenter, images_MHW, pick_device()))
    return {condition: np.stack(masks) for condition, masks in predictions.items()}


def partial_rows(
    predictions: Mapping[str, np.ndarray],
    masks_MHW: np.ndarray,
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """A row for each condition and class, and one (class `macro`) for the mean of the constrained classes.

    `predictions` holds the masks predicted on generated images, (D, M, H, W) by condition: `FULL`, or the
    kept classes joined by +. The columns: dice, against the input's full mask, pooled over images;
    ratio_to_full, over the same model's dice with the full mask; variation, 1 − Dice between two images of a
    mask, pooled, the mean over pairs; area, predicted pixels over the full mask's. The mean is over the
    constrained classes that the masks hold, the same for every model. NaN where undefined: dice and area of a
    class that no mask holds, the variation of a class that no image shows, and a mean that would need one of
    these.
    """
    present_C = classes_in_masks(class_counts(masks_MHW, masks_MHW, len(class_names)))
    measures_of = {
        condition: _measures(predictions_DMHW, masks_MHW, len(class_names))
        for condition, predictions_DMHW in predictions.items()
    }
    full_C = measures_of[FULL]["dice"]
    rows = []
    for condition, measures in measures_of.items():
        kept = list(class_names) if condition == FULL else kept_classes(condition)
        constrained = [class_names.index(name) for name in kept]
        for c, class_name in enumerate(class_names):
            values = {key: float(values_C[c]) for key, values_C in measures.items()}
            rows.append(_row(condition, class_name, c in constrained, values, float(full_C[c])))
        in_mean = [c for c in constrained if present_C[c]]
        means = {key: _mean(values_C[in_mean]) for key, values_C in measures.items()}
        rows.append(_row(condition, MACRO, True, means, _mean(full_C[in_mean])))
    return rows


def _mean(values_C: np.ndarray) -> float:
    """The mean; NaN where there is no value, because the masks hold none of the constrained classes."""
    return float(values_C.mean()) if values_C.size else float("nan")


def _row(
    condition: str, class_name: str, constrained: bool, values: Mapping[str, float], full_dice: float
) -> dict[str, Any]:
    role = "constrained" if constrained else "free"
    ratio_to_full = float(ratio(np.array(values["dice"]), np.array(full_dice)))
    return {"kept": condition, "class": class_name, "role": role, "ratio_to_full": ratio_to_full, **values}


def _measures(predictions_DMHW: np.ndarray, masks_MHW: np.ndarray, n_classes: int) -> dict[str, np.ndarray]:
    """dice, variation and area of each class, (C,) each."""
    counts_DC4 = np.stack(
        [_set_counts(predicted_MHW, masks_MHW, n_classes) for predicted_MHW in predictions_DMHW]
    )
    pairs = [
        dice_of_counts(_set_counts(first_MHW, second_MHW, n_classes))
        for first_MHW, second_MHW in combinations(predictions_DMHW, 2)
    ]
    predicted_C = counts_DC4[..., 1].sum(axis=0)
    masked_C = counts_DC4[..., 2].sum(axis=0)
    return {
        "dice": pooled_dice(counts_DC4),
        "variation": 1 - np.mean(pairs, axis=0),
        "area": ratio(predicted_C, masked_C),
    }


def _set_counts(prediction_MHW: np.ndarray, target_MHW: np.ndarray, n_classes: int) -> np.ndarray:
    """The counts of a whole set, (C, 4)."""
    counts_C4: np.ndarray = class_counts(prediction_MHW, target_MHW, n_classes).sum(axis=0)
    return counts_C4
