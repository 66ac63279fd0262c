"""How alike generated and real images are, against λ (figure 4).

Shape letters: M slices, H height, W width.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from segguided.data.slices import SliceSet
from segguided.devices import pick_device
from segguided.evaluation.dice import class_counts, dice_by_class
from segguided.evaluation.image_pairs import mean_absolute_difference, structural_similarity
from segguided.evaluation.prediction import predict


def similarity_rows(
    variants: Mapping[str, np.ndarray], real: SliceSet, evaluator: nn.Module, class_names: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each λ: how alike its images (M, H, W) are to the `real` images of the same masks.

    ssim: mean, and standard deviation over images (ssim_std); mae: mean absolute difference, grey levels;
    dice_CLASS: of the masks that the evaluator predicts on both, pooled; NaN of a class that no test mask
    holds, which is in no mean.
    """
    real_MHW = predict(evaluator, real.images, pick_device())
    rows = []
    for share, images_MHW in variants.items():
        predicted_MHW = predict(evaluator, images_MHW, pick_device())
        counts = class_counts(predicted_MHW, real_MHW, len(class_names), real.masks)
        ssim_M = structural_similarity(images_MHW, real.images)
        row: dict[str, Any] = {"lambda": float(share), "ssim": ssim_M.mean(), "ssim_std": ssim_M.std()}
        row["mae"] = mean_absolute_difference(images_MHW, real.images).mean()
        row |= {f"dice_{name}": dice for name, dice in dice_by_class(counts, class_names).items()}
        row["images"] = len(ssim_M)
        rows.append(row)
    return rows
