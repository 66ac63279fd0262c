"""What the masks of training looked like, class by class: by it, masks from elsewhere are judged.

Shape letters: S slices, H height, W width.
"""

from typing import NamedTuple

import numpy as np

from segguided.data.slices import SliceSet

PERCENTILES = (1, 50, 99)


class MaskLooks(NamedTuple):
    """Of one class in one mask: its share of the pixels, and its centre from 0 (top, left) to 1."""

    area: float
    row: float
    column: float


def looks_of(mask_HW: np.ndarray, value: int) -> MaskLooks | None:
    """How a class looks in a mask; None where the mask has none of it."""
    rows, columns = np.nonzero(mask_HW == value)
    if not len(rows):
        return None
    height, width = mask_HW.shape
    area = len(rows) / mask_HW.size
    return MaskLooks(area, float(rows.mean() + 0.5) / height, float(columns.mean() + 0.5) / width)


def looks_in(slices: SliceSet, value: int) -> np.ndarray:
    """Area, row and column of a class in each mask that holds it, (S, 3)."""
    found = [
        looks
        for stack in slices.stacks
        for mask_HW in stack.masks_SHW
        if (looks := looks_of(mask_HW, value)) is not None
    ]
    return np.array(found, float).reshape(-1, 3)


def ranges(
    looks_S3: np.ndarray,
) -> tuple[tuple[float, float, float], tuple[float, float], tuple[float, float]]:
    """Percentiles of the area, and the outer two of the row and of the column."""
    low, middle, high = np.percentile(looks_S3, PERCENTILES, axis=0)
    areas = (float(low[0]), float(middle[0]), float(high[0]))
    return areas, (float(low[1]), float(high[1])), (float(low[2]), float(high[2]))
