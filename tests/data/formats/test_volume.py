"""The orientation that all readers share: turning a volume never moves a voxel in the patient."""

import itertools
from typing import Any

import numpy as np
import pytest

from segguided.data.formats.orientation import oriented
from segguided.data.formats.volume import Volume, check_finite, check_same_grid
from support import volume_files as vf

CODES = [
    "".join(letters)
    for axes in itertools.permutations(("LR", "PA", "SI"))
    for letters in itertools.product(*axes)
]


@pytest.mark.parametrize("tilt", [0, 20])
@pytest.mark.parametrize("code", CODES)
def test_every_storage_order_gives_the_same_volume(code: str, tilt: float) -> None:
    whole = vf.truth(tilt)
    stored = vf.stored_along(whole, code)
    volume = oriented(stored.array_ijk, stored.affine, {"file": "x"})
    np.testing.assert_array_equal(volume.array_zyx, whole.array_ijk.transpose(2, 1, 0))
    np.testing.assert_allclose(volume.affine, whole.affine, atol=1e-9)
    assert volume.spacing_zyx_mm == pytest.approx((2.5, 0.5, 0.75))
    assert volume.provenance == {"file": "x"}
    z, y, x = np.argwhere(volume.array_zyx == vf.MARKER)[0]
    np.testing.assert_allclose((volume.affine @ [x, y, z, 1])[:3], vf.marker_mm(stored), atol=1e-9)


def test_positions_ascend_and_are_the_first_voxels_height() -> None:
    whole = vf.truth(20)
    stored = vf.stored_along(whole, "LPI")
    positions = oriented(stored.array_ijk, stored.affine).positions_mm
    expected = [(whole.affine @ [0, 0, k, 1])[2] for k in range(9)]
    np.testing.assert_allclose(positions, expected)
    assert (np.diff(positions) > 0).all()


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 1), ()])
def test_only_three_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected a 3-D volume, got shape"):
        oriented(np.zeros(shape), np.eye(4))


@pytest.mark.parametrize("bad", [np.diag([1.0, 1, 0, 1]), np.diag([1.0, np.nan, 1, 1]), np.zeros((4, 4))])
def test_an_affine_that_places_nothing(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"not invertible: .*; correct the file's header"):
        oriented(np.zeros((2, 2, 2)), bad)


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
    bad.array_zyx[1, 2, 0], bad.array_zyx[1, 2, 3], bad.array_zyx[1, 0, 1] = np.nan, np.inf, -np.inf
    with pytest.raises(
        ValueError, match=r"^p1: 3 voxels are NaN or infinite, the first at z=1, y=0, x=1; .*: repair"
    ):
        check_finite(bad, "p1")


@pytest.mark.parametrize(("position", "fits"), [(2e4, True), (-9e5, True), (2e6, False), (-1e18, False)])
def test_a_position_where_no_scanner_is_is_refused(position: float, fits: bool) -> None:
    """So far away, float numbers no longer separate one voxel from the next."""
    affine = np.diag([0.5, 0.5, 2.0, 1.0])
    affine[1, 3] = position
    if fits:
        assert oriented(np.zeros((2, 3, 4), np.int16), affine).affine[1, 3] == position
        return
    with pytest.raises(
        ValueError, match=r"expected the first voxel within 1,000,000 mm .*correct the position"
    ):
        oriented(np.zeros((2, 3, 4), np.int16), affine)
