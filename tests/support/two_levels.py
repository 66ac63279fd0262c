"""Slices of one mask that may show either of two grey levels: 60 and 180, whose mean no real image shows."""

from pathlib import Path

import numpy as np

from segguided.data.slices import Stack, write_stack


def write_two_levels(folder: Path) -> Path:
    """A file of 16 slices of a square: its grey level is 60 in one half of them and 180 in the other."""
    masks_SHW = np.zeros((16, 16, 16), np.uint8)
    masks_SHW[:, 4:12, 4:12] = 1
    levels_S = np.where(np.arange(16) % 2, 180, 60).astype(np.uint8)
    path = folder / "p.npz"
    images_SHW = masks_SHW * levels_S[:, None, None]
    write_stack(path, Stack("p", images_SHW, masks_SHW, np.arange(16.0), {"classes": ["square"]}))
    return path
