"""The positions of organs distinguish the right orientation from each mirror image."""

from itertools import product

import numpy as np
import pytest

from segguided.data.datasets.anatomy import confirm_orientation, confirmed_axes
from segguided.data.datasets.ct_org import ORGANS
from segguided.data.formats.volume import Volume
from support import fixtures_ct_org as fc

FLIPS = [flips for flips in product((False, True), repeat=3) if any(flips)]
ALL = {"x", "y", "z"}


def body(*absent: int, flips: tuple[bool, ...] = (False, False, False)) -> Volume:
    stored = fc.labels(*absent)
    array_zyx = stored.array_ijk.transpose(2, 1, 0).astype(np.uint8)
    return Volume(np.flip(array_zyx, [k for k, flip in enumerate(flips) if flip]), stored.affine)


def test_a_body_is_confirmed_on_each_axis_with_distances() -> None:
    found_mm = confirm_orientation(body(), ORGANS, "labels")
    assert confirmed_axes(found_mm) == ALL
    # Spine at x 12 and y 15.5, liver at x 5.5 and y 8: voxels of 0.8 mm.
    assert found_mm["the liver lies on the patient's right of the bones"] == pytest.approx(6.5 * 0.8, abs=0.1)
    assert found_mm["the bones lie behind the liver"] == pytest.approx(7.5 * 0.8, abs=0.1)
    assert found_mm["the bladder lies below the liver"] == pytest.approx((14.5 - 3.5) * 2.5, abs=0.1)


@pytest.mark.parametrize("flips", FLIPS)
def test_each_mirror_image_is_refused_with_the_positions(flips: tuple[bool, ...]) -> None:
    with pytest.raises(ValueError, match=r"^labels-7: expected that the ") as caught:
        confirm_orientation(body(flips=flips), ORGANS, "labels-7")
    assert str(caught.value).count(" left, ") == 2 and "wrong orientation" in str(caught.value)


@pytest.mark.parametrize(
    ("absent", "confirmed"),
    [
        ((2,), ALL),  # the lungs replace the bladder
        ((1, 2), {"z"}),  # lungs and kidneys remain
        ((2, 3), {"x", "y"}),
        ((5,), {"z"}),
        ((1, 2, 3, 4), set()),
    ],
)
def test_an_axis_without_its_organs_is_not_confirmed(absent: tuple[int, ...], confirmed: set[str]) -> None:
    assert confirmed_axes(confirm_orientation(body(*absent), ORGANS, "labels")) == confirmed


def test_a_sliver_of_an_organ_says_nothing() -> None:
    volume = body(2)
    volume.array_zyx[29, 0, :10] = 2  # a few voxels called bladder, far up
    assert "the liver lies below the lungs" in confirm_orientation(volume, ORGANS, "labels")


def test_bones_elsewhere_do_not_move_the_comparison() -> None:
    """A skull or legs that reach far to the front count in no slice of the liver."""
    volume = body()
    volume.array_zyx[29] = 5
    found_mm = confirm_orientation(volume, ORGANS, "labels")
    assert found_mm == confirm_orientation(body(), ORGANS, "labels")
