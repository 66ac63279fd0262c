"""The measure of stripes: what it tells apart, and where it looks."""

import numpy as np
import pytest

from benchmarks.stripes import LEAST, MARGIN, inner_parts, stripes

EVERYWHERE = np.ones((1, 64, 64), bool)


def waves(across, down):
    """An image that changes along one direction alone, (1, 64, 64)."""
    y_HW, x_HW = np.mgrid[:64, :64]
    return (100 + 20 * np.sin(2 * np.pi * (across * x_HW + down * y_HW) / 4))[None]


@pytest.mark.parametrize("direction", [(1, 0), (0, 1), (1, 1), (1, -1), (1, 0.5), (0.5, -1)])
def test_stripes_of_any_direction_are_seen(direction):
    amount, detail = stripes(waves(*direction), EVERYWHERE)
    assert amount > (0.9 if 0.5 not in map(abs, direction) else 0.5)
    assert 5 < detail < 20


def test_lines_that_cross_are_not():
    crossing_SHW = waves(1, 1) + waves(1, -1)
    assert stripes(crossing_SHW, EVERYWHERE)[0] < 0.01


def test_a_flat_image_has_none():
    assert stripes(np.full((1, 64, 64), 7), EVERYWHERE) == (0, 0)


def test_white_noise_has_none():
    noise_SHW = np.random.default_rng(0).normal(100, 10, (4, 64, 64))
    amount, detail = stripes(noise_SHW, np.repeat(EVERYWHERE, 4, 0))
    assert amount < 0.1
    assert detail == pytest.approx(10, rel=0.1)


def test_only_the_inner_part_of_a_class_is_looked_at():
    masks_SHW = np.zeros((1, 64, 64), np.uint8)
    masks_SHW[:, 10:40, 10:40] = 1
    inside_SHW = inner_parts(masks_SHW, 1)
    assert inside_SHW.sum() == (30 - 2 * MARGIN) ** 2
    assert not inside_SHW[:, 10 : 10 + MARGIN].any()
    noise_SHW = np.random.default_rng(0).normal(100, 10, (1, 64, 64))
    striped_outside_SHW = noise_SHW.copy()
    striped_outside_SHW[:, 50:] = waves(1, 0)[:, 50:]
    assert stripes(striped_outside_SHW, inside_SHW)[0] < 0.15
    assert stripes(striped_outside_SHW, ~inside_SHW)[0] > 0.2


@pytest.mark.parametrize(("pixels", "counts"), [(LEAST - 1, False), (LEAST, True)])
def test_a_part_of_few_pixels_does_not_count(pixels, counts):
    inside_SHW = np.zeros((1, 64, 64), bool)
    inside_SHW.flat[640 : 640 + pixels] = True
    assert np.isfinite(stripes(waves(1, 0), inside_SHW)).all() == counts
