"""What generated images of rare cases add: Dice of a segmenter that was trained with and without them.

Shape suffixes: R resamples, K the classes and their macro mean (last).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from segguided.config.evaluation import Resampling
from segguided.config.reserved import MACRO
from segguided.data.halves import slices_in_half
from segguided.data.slices import SliceSet
from segguided.devices import pick_device
from segguided.evaluation.dice import class_counts, classes_in_masks, pooled_dice, with_macro
from segguided.evaluation.intervals import bootstrap_dice, percentile_interval
from segguided.evaluation.prediction import predict


def rare_case_rows(
    test: SliceSet,
    without: nn.Module,
    augmented: nn.Module,
    class_names: Sequence[str],
    rare_class: str,
    evaluation: Resampling,
) -> list[dict[str, Any]]:
    """A row for each class: Dice of both segmenters on the test half, and the difference of the two.

    `without` was trained on real images, `augmented` on real and generated ones. The difference has a paired
    bootstrap interval. NaN for a class that no mask of that half holds; it is in no mean.
    """
    half = test.where(slices_in_half(test, evaluation.halves_seed, "test"))
    real_K, real_RK = _dice(without, half, len(class_names), evaluation)
    augmented_K, augmented_RK = _dice(augmented, half, len(class_names), evaluation)
    low_K, high_K = percentile_interval(augmented_RK - real_RK)
    return [
        {
            "class": name,
            "rare": int(name == rare_class),
            "dice_real": real_K[k],
            "dice_real_and_generated": augmented_K[k],
            "difference": augmented_K[k] - real_K[k],
            "difference_low": low_K[k],
            "difference_high": high_K[k],
            "patients": len(np.unique(half.patients)),
            "slices": len(half),
        }
        for k, name in enumerate((*class_names, MACRO))
    ]


def _dice(
    segmenter: nn.Module, slices: SliceSet, n_classes: int, evaluation: Resampling
) -> tuple[np.ndarray, np.ndarray]:
    """The segmenter's pooled Dice on real images (K,), and that of each bootstrap resample (R, K)."""
    counts_SC4 = class_counts(predict(segmenter, slices.images, pick_device()), slices.masks, n_classes)
    resampled_RK = bootstrap_dice(
        counts_SC4,
        slices.patients,
        resamples=evaluation.bootstrap_resamples,
        seed=evaluation.bootstrap_seed,
    )
    return with_macro(pooled_dice(counts_SC4), classes_in_masks(counts_SC4)), resampled_RK
