"""Masks and noisy predictions of them."""

import numpy as np


def noisy_pair(seed: int, n_slices: int = 6, absent: int | None = 3) -> tuple[np.ndarray, np.ndarray]:
    """Nested rectangles, and the same with a fifth of the pixels replaced; `absent` is a class in neither."""
    rng = np.random.default_rng(seed)
    target_SHW = np.zeros((n_slices, 24, 20), dtype=np.uint8)
    target_SHW[:, 3:20, 3:18] = 1
    target_SHW[1:, 6:15, 5:12] = 2
    target_SHW[: n_slices // 2, 8:11, 6:9] = 3
    replaced = rng.random(target_SHW.shape) < 0.2
    prediction_SHW = np.where(replaced, rng.integers(0, 4, target_SHW.shape), target_SHW).astype(np.uint8)
    if absent:
        for mask_SHW in (target_SHW, prediction_SHW):
            mask_SHW[mask_SHW == absent] = 0
    return prediction_SHW, target_SHW
