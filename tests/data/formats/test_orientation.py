"""The orientation that all readers share, LPS: turning a volume never moves a voxel in the patient."""

import numpy as np
import pytest

from segguided.data.formats.orientation import oriented
from support import volume_files as vf


@pytest.mark.parametrize("tilt", [0, 20])
@pytest.mark.parametrize("code", vf.ALL_ORIENTATIONS)
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
