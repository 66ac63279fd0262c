"""Arrays of images: of one channel (N, H, W), or of two to four (N, H, W, channels)."""

import numpy as np

from segguided.config.limits import MOST_CHANNELS


def channels_of(images_SHW: np.ndarray) -> int:
    """How many channels images (S, H, W) or (S, H, W, channels) have."""
    return int(images_SHW.shape[3]) if images_SHW.ndim == 4 else 1


def are_images(images_SHW: np.ndarray) -> bool:
    """Whether an array has the type and axes of images, of one channel or of two to four."""
    several = images_SHW.ndim == 4 and 2 <= images_SHW.shape[3] <= MOST_CHANNELS
    return images_SHW.dtype == np.uint8 and (several or images_SHW.ndim == 3)
