"""The measure of stripes: what it tells apart, and where it looks."""

import numpy as np
import pytest

from benchmarks.stripes import MARGIN, inner_parts, stripes

EVERYWHERE = np.ones((1, 64, 64), bool)


def waves(across, down):
    """An image that changes along one direction alone, (1, 64, 64)."""
    y_HW, x_HW = np.mgrid[:64, :64]
    return (100 + 20 * np.sin(2 * np.pi * (across * x_HW + down * y_HW) / 4))[None]


@pytest.mark.parametrize("direction", [(1, 0), (0, 1), (1, 1), (1, -1)])
def test_stripes_of_any_direction_are_seen(direction):
    amount, detail = stripes(waves(*direction), EVERYWHERE)
    assert amount > 0.9
    assert 5 < detail < 20


def test_white_noise_has_none():
    noise_SHW = np.random.default_rng(0).normal(100, 10, (4, 64, 64))
    amount, detail = stripes(noise_SHW, np.repeat(EVERYWHERE, 4, 0))
    assert amount < 0.1
    assert detail == pytest.approx(10, rel=0.1)


def test_only_the_inner_part_of_a_class_is_looked_at_and_too_small_ones_are_not():
    masks_SHW = np.zeros((2, 64, 64), np.uint8)
    masks_SHW[:, 10:40, 10:40] = 1
    inside_SHW = inner_parts(masks_SHW, 1)
    assert inside_SHW.sum() == 2 * (30 - 2 * MARGIN) ** 2
    assert not inside_SHW[:, 10 : 10 + MARGIN].any()
    assert np.isnan(stripes(waves(1, 0), inner_parts(masks_SHW[:1], 2))).all()
