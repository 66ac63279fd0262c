"""Classical texture features: grey levels, Haar wavelets, local binary patterns (Ojala et al. 2002).

Shape letters: S images, H height, W width, D features.
"""

from collections.abc import Iterator

import numpy as np

LEVELS = 3  # of the wavelet transform
NEIGHBOURS_YX = (
    (-1, -1),
    (-1, 0),
    (-1, 1),
    (0, 1),
    (1, 1),
    (1, 0),
    (1, -1),
    (0, -1),
)  # around a pixel, in order
PATTERNS = len(NEIGHBOURS_YX) + 2  # uniform patterns by their number of ones, and all others


def texture_features(images_SHW: np.ndarray) -> np.ndarray:
    """(S, D): mean and deviation of the grey levels, 9 wavelet energies, shares of 9 of the 10 patterns.

    The shares of all patterns add up to 1, so the last one says nothing more.
    """
    return np.array([_features(image_HW.astype(float)) for image_HW in images_SHW])


def _features(image_HW: np.ndarray) -> np.ndarray:
    shares = local_patterns(image_HW)[:-1]
    return np.array([image_HW.mean(), image_HW.std(), *wavelet_energies(image_HW), *shares])


def wavelet_energies(image_HW: np.ndarray) -> Iterator[float]:
    """log(1 + mean |coefficient|) of the Haar wavelets across, down and diagonal, from fine to coarse."""
    for _level in range(LEVELS):
        rows = image_HW.shape[0] // 2 * 2
        columns = image_HW.shape[1] // 2 * 2
        cut_HW = image_HW[:rows, :columns]
        sums_HW = cut_HW[::2] + cut_HW[1::2]
        steps_HW = cut_HW[::2] - cut_HW[1::2]
        yield _energy(sums_HW[:, ::2] - sums_HW[:, 1::2])
        yield _energy(steps_HW[:, ::2] + steps_HW[:, 1::2])
        yield _energy(steps_HW[:, ::2] - steps_HW[:, 1::2])
        image_HW = (sums_HW[:, ::2] + sums_HW[:, 1::2]) / 2


def _energy(coefficients_HW: np.ndarray) -> float:
    return float(np.log1p(np.abs(coefficients_HW / 2).mean()))


def local_patterns(image_HW: np.ndarray) -> np.ndarray:
    """Shares of the rotation-invariant uniform patterns of 8 neighbours among the inner pixels, (10,)."""
    height, width = image_HW.shape
    centre_HW = image_HW[1:-1, 1:-1]
    brighter = np.stack(
        [image_HW[1 + y : height - 1 + y, 1 + x : width - 1 + x] >= centre_HW for y, x in NEIGHBOURS_YX]
    )
    changes_HW = (brighter != np.roll(brighter, 1, axis=0)).sum(0)
    pattern_HW = np.where(changes_HW <= 2, brighter.sum(0), PATTERNS - 1)
    shares: np.ndarray = np.bincount(pattern_HW.ravel(), minlength=PATTERNS) / pattern_HW.size
    return shares
