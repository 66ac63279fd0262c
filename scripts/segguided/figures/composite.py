"""Images of several channels as a tile that can be shown, and the words that say how.

Shape suffixes: H and W pixels; a trailing C is channels, a trailing 3 is red, green, blue.
"""

from collections.abc import Sequence

import numpy as np

# What a channel of two, and of three, is shown as. Two in magenta and green are grey where they are equal,
# and people who confuse red and green can tell them apart.
COLOURS = {2: ("magenta", "green"), 3: ("red", "green", "blue")}
PLACES = {4: ("above left", "above right", "below left", "below right")}


def shown(image: np.ndarray) -> np.ndarray:
    """The tile of an image: grey (H, W), or in colours (H, W, 3) of two or three channels.

    Four channels are grey pictures in two rows, (2H, 2W). Arrays (H, W) and (H, W, 3) stay as they are.
    """
    if image.ndim == 2 or image.shape[2] == 3:
        return image
    if image.shape[2] == 2:
        return image[..., [0, 1, 0]]
    first, second, third, fourth = np.moveaxis(image, -1, 0)
    return np.block([[first, second], [third, fourth]])


def shown_mask(mask_HW: np.ndarray, channels: int) -> np.ndarray:
    """The mask on the grid of the tile of an image with so many channels."""
    return np.tile(mask_HW, (2, 2)) if channels == 4 else mask_HW


def shown_title(name: str, channels: Sequence[str]) -> str:
    """The name of a dataset, and how the channels of its images are shown."""
    ways = {**COLOURS, **PLACES}.get(len(channels))
    if ways is None:
        return name
    texts = [f"{channel} {way}" for channel, way in zip(channels, ways, strict=True)]
    return f"{name} ({', '.join(texts)})"
