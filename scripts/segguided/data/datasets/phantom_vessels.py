"""Branching vessels of the breast phantom: random walks from the chest wall towards the nipple."""

import numpy as np
from scipy.spatial import cKDTree

STEP_MM = 1.5
LENGTH_MM = (60.0, 110.0)
RADIUS_MM = (4.3, 5.2)  # at the root; wide, to survive the demo's coarse pixels
THINNEST_MM = 4.0
BRANCHES_PER_STEP = 0.02
MOST_POINTS = 3000
WITHIN_SLICE = np.array([0.3, 1.0, 1.0])  # z, y, x: vessels wander mostly within the slice


def grow_curves(
    rng: np.random.Generator, room_mm: np.ndarray, nipple_mm: np.ndarray, roots: int
) -> np.ndarray:
    """Points (N, 4) of branching curves in one breast: z, y, x and radius, in mm.

    `room_mm` (M, 3) are the points where a root may be; roots are spread evenly over their heights.
    """
    pending = []  # position, direction and radius of the start of each branch
    for root in _roots(rng, room_mm, roots):
        direction = _unit(nipple_mm - root + rng.normal(0, 25, 3))
        pending.append((root, direction, rng.uniform(*RADIUS_MM)))
    points: list[np.ndarray] = []
    while pending and len(points) < MOST_POINTS:
        position, direction, radius = pending.pop(0)
        for _ in range(int(rng.uniform(*LENGTH_MM) / STEP_MM)):
            points.append(np.array([*position, radius]))
            wander = rng.normal(0, 1, 3) * WITHIN_SLICE
            direction = _unit(direction + 0.05 * _unit(nipple_mm - position) + 0.2 * wander)
            position = position + STEP_MM * direction
            radius = max(THINNEST_MM, 0.995 * radius)
            if rng.random() < BRANCHES_PER_STEP and radius > THINNEST_MM:
                aside = _unit(rng.normal(0, 1, 3) * WITHIN_SLICE)
                pending.append((position, _unit(direction + 0.9 * aside), 0.9 * radius))
    return np.array(points)


def _roots(rng: np.random.Generator, room_mm: np.ndarray, count: int) -> list[np.ndarray]:
    lowest, highest = np.quantile(room_mm[:, 0], [0.02, 0.98])
    heights = lowest + (highest - lowest) * (np.arange(count) + 0.5) / count
    roots = []
    for height in heights:
        away_mm = np.abs(room_mm[:, 0] - height)
        level = room_mm[away_mm <= away_mm.min() + 1e-6]
        candidates = level[rng.permutation(len(level))[:12]]
        roots.append(candidates[candidates[:, 1].argmax()])  # the nearest to the chest wall
    return roots


def near_curves(points_mm: np.ndarray, curves: np.ndarray, slice_mm: float) -> np.ndarray:
    """Whether each point lies within the radius of the nearest curve point (bool, a value for each point).

    A thick slice blurs a thin vessel over its whole thickness: distances along z are shortened to match.
    """
    squeeze = np.array([min(1.0, 4.0 / slice_mm), 1, 1])
    tree = cKDTree(curves[:, :3] * squeeze)
    distance, nearest = tree.query(points_mm * squeeze, distance_upper_bound=RADIUS_MM[1] + 1)
    radius = np.append(curves[:, 3], 0)[nearest]  # index N means no curve point in reach
    return np.asarray(distance <= radius)


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))
