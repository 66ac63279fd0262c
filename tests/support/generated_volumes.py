"""Volumes drawn by hypothesis, and whether a reader gave the same patient back."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
from hypothesis import strategies as st

from segguided.data.formats.volume import Volume

AXES = list(permutations(range(3)))


@st.composite
def affines(draw: Any, oblique: bool = True, shear: bool = False) -> np.ndarray:
    """(4, 4) from voxel indices to LPS mm: axes of any order and direction, turned and slanted or not."""
    spacing = [draw(st.sampled_from([0.35, 0.5, 0.75, 1.0, 2.5, 5.0])) for _ in range(3)]
    axes = np.eye(3)[:, draw(st.sampled_from(AXES))]
    axes = axes * [draw(st.sampled_from([-1.0, 1.0])) for _ in range(3)]
    if oblique:
        axes = turn(*(draw(st.floats(-40, 40)) for _ in range(3))) @ axes
    if shear and draw(st.booleans()):
        axes[:, 2] += draw(st.floats(-0.5, 0.5)) * axes[:, 1]  # a tilted gantry
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = [draw(st.floats(-300, 300)) for _ in range(3)]
    return affine


def turn(*degrees: float) -> np.ndarray:
    """Rotations about x, y and z, one after another."""
    whole = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        first, second = (n for n in range(3) if n != axis)
        one = np.eye(3)
        one[first, first] = one[second, second] = np.cos(angle)
        one[first, second] = -np.sin(angle)
        one[second, first] = np.sin(angle)
        whole = one @ whole
    return whole


def shapes() -> st.SearchStrategy[tuple[int, int, int]]:
    """Tiny ones, an axis of one voxel among them."""
    return st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))


def voxels(shape: Sequence[int], dtype: np.dtype, seed: int, highest: int | None = None) -> np.ndarray:
    """Numbers that differ as far as the type allows, so that no voxel can be taken for another."""
    rng = np.random.default_rng(seed)
    if highest is not None:
        return rng.integers(0, highest + 1, shape).astype(dtype)
    if dtype.kind == "f":
        return rng.normal(0, 1000, shape).astype(dtype)
    limits = np.iinfo(dtype)
    low, high = max(limits.min, -30_000), min(limits.max, 30_000)
    return rng.integers(low, high, shape, endpoint=True).astype(dtype)


def assert_same_patient(
    volume: Volume, values_ijk: np.ndarray, lps_mm: np.ndarray, tolerance_mm: float = 1e-3
) -> None:
    """Each voxel that was written lies where it was written, to `tolerance_mm`, and no other was added."""
    assert volume.array_zyx.size == values_ijk.size
    z, y, x = np.indices(volume.array_zyx.shape).reshape(3, -1)
    places = volume.affine @ np.stack([x, y, z, np.ones_like(x)])
    written = np.linalg.solve(lps_mm, places)[:3]
    nearest = np.rint(written).astype(int)
    assert np.abs(lps_mm[:3, :3] @ (written - nearest)).max() < tolerance_mm
    np.testing.assert_array_equal(volume.array_zyx[z, y, x], values_ijk[tuple(nearest)])
    assert volume.affine[2, 2] > 0 and (np.diff(volume.positions_mm) > 0).all()  # slices ascend
