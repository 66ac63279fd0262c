"""What partial masks do, in numbers: constrained classes kept, free classes varying from draw to draw.

Shape suffixes: K conditions (the full mask first), D draws, M masks, H and W pixels, C foreground classes.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from segguided.config.reserved import FULL, MACRO
from segguided.evaluation.dice import class_counts, dice_of_counts, held_classes, pooled_dice, ratio
from segguided.generation.variants import kept_classes


def partial_rows(
    predictions: Mapping[str, np.ndarray],
    masks_MHW: np.ndarray,
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """A row a condition and class, and one (class `macro`) for the mean of the constrained classes.

    `predictions` holds masks predicted on generated images, (D, M, H, W) a condition: `FULL`, or the kept
    classes joined by +. dice: against the input's full mask, pooled over draws; ratio_to_full: over the same
    model's dice with the full mask; variation: 1 − Dice between two draws of a mask, pooled, mean over pairs;
    area: predicted pixels over the full mask's. The mean is over the constrained classes that the masks hold,
    the same for every model. NaN where undefined: dice and area of a class that no mask holds, the variation
    of one that no draw shows, and a mean that would need it.
    """
    held_C = held_classes(class_counts(masks_MHW, masks_MHW, len(class_names)))
    measured = {
        name: _measures(predictions_DMHW, masks_MHW, len(class_names))
        for name, predictions_DMHW in predictions.items()
    }
    rows = []
    for name, measures in measured.items():
        kept = list(class_names) if name == FULL else kept_classes(name)
        constrained = [class_names.index(one) for one in kept]
        for c, class_name in enumerate(class_names):
            values = {key: float(values_C[c]) for key, values_C in measures.items()}
            full = float(measured[FULL]["dice"][c])
            rows.append(_row(name, class_name, c in constrained, values, full))
        counted = [c for c in constrained if held_C[c]]
        means = {key: _mean(values_C[counted]) for key, values_C in measures.items()}
        rows.append(_row(name, MACRO, True, means, _mean(measured[FULL]["dice"][counted])))
    return rows


def _mean(values_C: np.ndarray) -> float:
    """NaN for no value: none of the constrained classes is held."""
    return float(values_C.mean()) if values_C.size else float("nan")


def _row(kept: str, name: str, constrained: bool, values: Mapping[str, float], full: float) -> dict[str, Any]:
    role = "constrained" if constrained else "free"
    share = float(ratio(np.array(values["dice"]), np.array(full)))
    return {"kept": kept, "class": name, "role": role, "ratio_to_full": share, **values}


def _measures(predictions_DMHW: np.ndarray, masks_MHW: np.ndarray, n_classes: int) -> dict[str, np.ndarray]:
    """dice, variation and area of each class, (C,) each."""
    counts_DC4 = np.stack([class_counts(one, masks_MHW, n_classes).sum(axis=0) for one in predictions_DMHW])
    pairs = [
        dice_of_counts(class_counts(one, other, n_classes).sum(axis=0))
        for one, other in combinations(predictions_DMHW, 2)
    ]
    predicted_C, masked_C = counts_DC4[..., 1].sum(axis=0), counts_DC4[..., 2].sum(axis=0)
    return {
        "dice": pooled_dice(counts_DC4),
        "variation": 1 - np.mean(pairs, axis=0),
        "area": ratio(predicted_C, masked_C),
    }
