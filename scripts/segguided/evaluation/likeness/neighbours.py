"""Precision, recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020) of image features.

B(x) is the ball around x with the radius of x's k-th nearest neighbour in its own set.
precision: share of generated images in B of some real image; density: in how many such balls, over k.
recall: share of real images in B of some generated image; coverage: share whose B holds a generated image.

Shape letters: N generated images, M real images, D features.
"""

import numpy as np
from scipy.spatial.distance import cdist

NEIGHBOURS = 5  # k, as Naeem et al.; fewer where a set has no more images
ROWS = 512  # of a distance matrix in memory at once


def neighbour_measures(features_ND: np.ndarray, real_MD: np.ndarray) -> dict[str, np.ndarray]:
    """precision (N,), density (N,), recall (M,) and coverage (M,): a value for each image.

    Raises ValueError for a set of fewer than two images.
    """
    if min(len(features_ND), len(real_MD)) < 2:
        raise ValueError(
            f"neighbours need two images in each set, got {len(features_ND)} and {len(real_MD)}; add patients"
        )
    k = min(NEIGHBOURS, len(real_MD) - 1)
    radius_M = _radius(real_MD, k)
    radius_N = _radius(features_ND, min(NEIGHBOURS, len(features_ND) - 1))
    in_real_N = np.concatenate([(cdist(rows, real_MD) <= radius_M).sum(1) for rows in _parts(features_ND)])
    has_ball_M = []
    nearest_M = []
    for rows in _parts(real_MD):
        distances = cdist(rows, features_ND)
        has_ball_M.append((distances <= radius_N).any(1))
        nearest_M.append(distances.min(1))
    return {
        "precision": (in_real_N > 0).astype(float),
        "density": in_real_N / k,
        "recall": np.concatenate(has_ball_M).astype(float),
        "coverage": (np.concatenate(nearest_M) <= radius_M).astype(float),
    }


def _radius(features_ND: np.ndarray, k: int) -> np.ndarray:
    """The distance of each image to its k-th nearest neighbour, itself not counted, (N,)."""
    parts = [np.partition(cdist(rows, features_ND), k, axis=1)[:, k] for rows in _parts(features_ND)]
    return np.concatenate(parts)


def _parts(features_ND: np.ndarray) -> list[np.ndarray]:
    return np.split(features_ND, range(ROWS, len(features_ND), ROWS))
