"""Checks of a volume: image and mask on one grid, and only finite voxels."""

from typing import Any

import numpy as np
import pytest

from segguided.data.formats.volume import Volume, check_finite, check_same_grid


def volume(shape: tuple[int, int, int] = (2, 3, 4), move: float = 0.0) -> Volume:
    affine = np.eye(4)
    affine[0, 3] = move
    return Volume(np.zeros(shape), affine)


def test_grids() -> None:
    check_same_grid(volume(), volume(), "p1")
    check_same_grid(volume(), volume(move=0.09), "p1")
    with pytest.raises(ValueError, match=r"p1: the image has shape \(2, 3, 4\) .* and the mask \(2, 3, 5\)"):
        check_same_grid(volume(), volume((2, 3, 5)), "p1")
    with pytest.raises(
        ValueError, match=r"p1: image and mask are on different grids .*check that both belong"
    ):
        check_same_grid(volume(), volume(move=0.2), "p1")
    check_same_grid(volume(), volume(move=0.2), "p1", tolerance_mm=0.3)


def test_a_small_error_of_spacing_shows_at_the_far_corner() -> None:
    near = volume((2, 3, 400))
    far = volume((2, 3, 400))
    far.affine[0, 0] += 0.01
    with pytest.raises(ValueError, match=r"corners up to 3\.99 mm apart"):
        check_same_grid(near, far, "p1")


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
def test_numbers_are_finite(dtype: Any) -> None:
    check_finite(Volume(np.zeros((2, 2, 2), dtype), np.eye(4)), "here")


def test_voxels_without_a_number_are_counted_and_located() -> None:
    bad = volume()
    bad.array_zyx[1, 2, 0] = np.nan
    bad.array_zyx[1, 2, 3] = np.inf
    bad.array_zyx[1, 0, 1] = -np.inf
    with pytest.raises(
        ValueError, match=r"^p1: 3 voxels are NaN or infinite, the first at z=1, y=0, x=1; .*: repair"
    ):
        check_finite(bad, "p1")
