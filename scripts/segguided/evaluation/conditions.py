"""Masks predicted on images from partial masks.

Shape letters: D samples of each mask, M masks, H height, W width.
"""

from collections.abc import Mapping

import numpy as np
from torch import nn

from segguided.devices import pick_device
from segguided.evaluation.prediction import predict
from segguided.generation.variants import SEPARATOR


def predict_conditions(segmenter: nn.Module, variants: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Masks (D, M, H, W) uint8 of each condition, from the images (M, H, W) of its variants."""
    predictions: dict[str, list[np.ndarray]] = {}
    for variant, images_MHW in variants.items():
        condition = variant.rsplit(SEPARATOR, 1)[0]
        predictions.setdefault(condition, []).append(predict(segmenter, images_MHW, pick_device()))
    return {condition: np.stack(samples) for condition, samples in predictions.items()}
