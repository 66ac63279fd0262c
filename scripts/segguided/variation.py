"""What partial masks do, in numbers: constrained classes kept, free classes varying from draw to draw.

Shape suffixes: K conditions (the full mask first), D draws, M masks, H and W pixels, C foreground classes.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from segguided.metrics import class_counts, pooled_dice, ratio
from segguided.records import MACRO
from segguided.variants import FULL, parts


def partial_rows(
    predictions: Mapping[str, np.ndarray],
    masks_MHW: np.ndarray,
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """A row a condition and class, and one (class `macro`) for the mean of the constrained classes.

    `predictions` holds masks predicted on generated images, (D, M, H, W) a condition: `FULL`, or the kept
    classes joined by +. dice: against the input's full mask, pooled over draws; ratio_to_full: over the same
    model's dice with the full mask; variation: 1 − Dice between two draws of a mask, pooled, mean over pairs;
    area: predicted pixels over the full mask's.
    """
    measured = {
        name: _measures(predictions_DMHW, masks_MHW, len(class_names))
        for name, predictions_DMHW in predictions.items()
    }
    rows = []
    for name, measures in measured.items():
        kept = list(class_names) if name == FULL else parts(name)
        constrained = [class_names.index(one) for one in kept]
        for c, class_name in enumerate(class_names):
            values = {key: float(values_C[c]) for key, values_C in measures.items()}
            full = float(measured[FULL]["dice"][c])
            rows.append(_row(name, class_name, c in constrained, values, full))
        means = {key: float(np.nanmean(values_C[constrained])) for key, values_C in measures.items()}
        rows.append(_row(name, MACRO, True, means, float(np.nanmean(measured[FULL]["dice"][constrained]))))
    return rows


def _row(kept: str, name: str, constrained: bool, values: Mapping[str, float], full: float) -> dict[str, Any]:
    role = "constrained" if constrained else "free"
    share = float(ratio(np.array(values["dice"]), np.array(full)))
    return {"kept": kept, "class": name, "role": role, "ratio_to_full": share, **values}


def _measures(predictions_DMHW: np.ndarray, masks_MHW: np.ndarray, n_classes: int) -> dict[str, np.ndarray]:
    """dice, variation and area of each class, (C,) each."""
    counts_DC3 = np.stack([class_counts(one, masks_MHW, n_classes).sum(axis=0) for one in predictions_DMHW])
    pairs = [
        pooled_dice(class_counts(one, other, n_classes)) for one, other in combinations(predictions_DMHW, 2)
    ]
    predicted_C, masked_C = counts_DC3[..., 1].sum(axis=0), counts_DC3[..., 2].sum(axis=0)
    return {
        "dice": pooled_dice(counts_DC3),
        "variation": 1 - np.mean(pairs, axis=0),
        "area": ratio(predicted_C, masked_C),
    }
