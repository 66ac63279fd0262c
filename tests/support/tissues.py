"""Tissues that train in a second, and images in which they can be told."""

from typing import Any

import numpy as np

from segguided.config.models.tissues import Tissues
from segguided.data.slices import SliceSet, Stack


def tiny_tissues(**changes: Any) -> Tissues:
    """Two stages, in cells of four pixels and of one, the second with smooth noise."""
    unet = {"channels": (8, 16), "norm_groups": 4, "layers_per_block": 1}
    stages = [{"cell": cell, "unet": unet, "copies": 2, "steps": 3} for cell in (4, 1)]
    stages[1]["noise_patch"] = 2
    return Tissues.model_validate({"parts": 2, "filter_size": 1, "stages": stages, **changes})


def spotted_squares(size: int = 16, count: int = 16) -> SliceSet:
    """A grey square of class 1 on black, with a bright spot left or right in it, which no mask tells."""
    rng = np.random.default_rng(0)
    images_SHW = np.zeros((count, size, size), np.uint8)
    images_SHW[:, 4:12, 4:12] = 100
    for image_HW in images_SHW:
        x = 5 if rng.random() < 0.5 else 9
        image_HW[6:10, x : x + 2] = 220
    masks_SHW = (images_SHW > 0).astype(np.uint8)
    return SliceSet([Stack("p1", images_SHW, masks_SHW, np.arange(count) * 3.0, {}, None, ())])
