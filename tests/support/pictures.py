"""Pictures for the figures' tests."""

import numpy as np

from segguided.figures.blocks import Block, Column


def body(size: int = 64, seed: int = 0) -> np.ndarray:
    """A noisy ellipse on a dark ground."""
    y_HW, x_HW = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    inside_HW = x_HW**2 / 0.7 + y_HW**2 / 0.4 < 1
    noise_HW = np.random.default_rng(seed).normal(0, 12, (size, size))
    image_HW: np.ndarray = np.clip(130 * inside_HW + noise_HW, 0, 255).astype(np.uint8)
    return image_HW


def block(title: str, colours: dict[str, str], titles: list[str], n_rows: int = 2) -> Block:
    columns = [Column(t, [body(seed=10 * i + row) for row in range(n_rows)]) for i, t in enumerate(titles)]
    return Block(title, columns, colours)
