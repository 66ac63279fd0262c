"""Volumes become slices: exact grey values, kept geometry, and image and mask aligned."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from segguided.config.datasets import Preparation
from segguided.data.formats.values import Values
from segguided.data.formats.volume import Volume
from segguided.data.slices import (
    Stack,
)
from segguided.data.slicing import intensity_range, to_stack

WINDOW = {"kind": "window", "low": -100, "high": 155}


def preparation(**changes: Any) -> Preparation:
    values = {
        "source": {"kind": "png", "images": "unused", "masks": "unused"},
        "classes": [{"name": "body"}, {"name": "lungs"}],
        "intensity": WINDOW,
        "image_size": 32,
    }
    return Preparation.model_validate({**values, **changes})


def volume(
    array_zyx: np.ndarray, spacing_zyx: tuple[float, float, float] = (3, 1, 1), start: float = -50
) -> Volume:
    affine = np.diag([spacing_zyx[2], spacing_zyx[1], spacing_zyx[0], 1.0])
    affine[2, 3] = start
    return Volume(array_zyx, affine, {"series_uid": "1.2.3"})


def sliced(image_zyx: np.ndarray, mask_zyx: np.ndarray, spacing: Any = (3, 1, 1), **changes: Any) -> Stack:
    return to_stack("p1", volume(image_zyx, spacing), volume(mask_zyx, spacing), preparation(**changes))


def ramp(shape: tuple[int, int, int] = (4, 32, 32)) -> np.ndarray:
    return np.linspace(-300, 300, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def ones(shape: tuple[int, int, int] = (4, 32, 32)) -> np.ndarray:
    return np.ones(shape, np.uint8)


# Grey values


def test_a_window_maps_to_exact_grey_values() -> None:
    image = np.full((1, 32, 32), -101, np.int16)
    image[0, 0, :8] = [-32768, -100, -99, 0, 154, 155, 156, 32767]
    stack = sliced(image, ones((1, 32, 32)))
    assert stack.images_SHW.dtype == np.uint8
    assert stack.images_SHW[0, 0, :8].tolist() == [0, 0, 1, 100, 254, 255, 255, 255]


def test_halves_round_to_the_nearest_grey_value() -> None:
    image = np.zeros((1, 32, 32), np.float32)
    image[0, 0, :3] = [0.4, 0.6, 254.6]
    stack = sliced(image, ones((1, 32, 32)), intensity={"kind": "window", "low": 0, "high": 255})
    assert stack.images_SHW[0, 0, :3].tolist() == [0, 1, 255]


def test_percentiles_of_the_whole_volume() -> None:
    image = np.arange(4 * 32 * 32, dtype=np.int16).reshape(4, 32, 32)
    stack = sliced(image, ones(), intensity={"kind": "percentile", "low": 0, "high": 100})
    expected = np.rint(image.astype(np.float32) * np.float32(255 / 4095)).astype(np.uint8)
    np.testing.assert_array_equal(stack.images_SHW, expected)
    clipped = preparation(intensity={"kind": "percentile", "low": 25, "high": 75}).intensity
    assert intensity_range(Values(image), clipped) == (1023.75, 3071.25)
    assert stack.provenance["raw_value_of_255"] == 4095


@given(
    st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=40),
    st.lists(st.one_of(st.floats(0, 100), st.sampled_from([0, 0.5, 50, 99.5, 100])), min_size=1, max_size=3),
)
def test_counted_percentiles_are_numpys_to_the_last_bit(values: list[int], percents: list[float]) -> None:
    image = np.array(values, np.int16).reshape(1, 1, -1)
    expected = np.percentile(image.astype(np.float64), percents).tolist()
    assert Values(image).percentiles(percents) == expected
    assert Values(np.flip(image, 2)).percentiles(percents) == expected


# Geometry


@pytest.mark.parametrize("spacing", [(3, 1, 1), (3, 2, 1), (3, 0.7, 1.4)])
@pytest.mark.parametrize("shape", [(1, 64, 40), (1, 40, 64), (1, 64, 64)])
def test_the_aspect_in_mm_is_kept(spacing: Any, shape: tuple[int, int, int]) -> None:
    _, height, width = shape
    image = np.full(shape, 155, np.int16)
    image[0, 1, 1] = -100
    stack = sliced(image, ones(shape), spacing, image_size=64)
    height_mm, width_mm = height * spacing[1], width * spacing[2]
    pixel_mm = max(height_mm, width_mm) / 64
    for seen in (stack.masks_SHW[0] > 0, stack.images_SHW[0] > 127):
        assert abs(seen.any(axis=1).sum() * pixel_mm - height_mm) <= 2 * max(pixel_mm, *spacing[1:])
        assert abs(seen.any(axis=0).sum() * pixel_mm - width_mm) <= 2 * max(pixel_mm, *spacing[1:])
        rows, columns = np.argwhere(seen).mean(axis=0)
        assert abs(rows - 31.5) <= 1
        assert abs(columns - 31.5) <= 1


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.just(1), st.integers(30, 90), st.integers(30, 90)),
    size=st.sampled_from([16, 24, 32, 64, 128]),
    mm=st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)),
)
def test_image_and_mask_stay_aligned(shape: tuple[int, int, int], size: int, mm: tuple[float, float]) -> None:
    """An asymmetric object has its centre of mass at the same place in both, to half a pixel.

    Where the whole image takes fewer than four pixels of the square, the object is a pixel or two high.
    """
    sides_mm = np.multiply(shape[1:], mm)
    assume(size * sides_mm.min() / sides_mm.max() >= 4)
    mask = np.zeros(shape, np.uint8)
    _, height, width = shape
    mask[:, height // 8 : height // 2, width // 6 : width * 3 // 4] = 1
    mask[:, height // 8 : height * 7 // 8, width // 6 : width // 2] = 1
    image = np.where(mask > 0, 155, -100).astype(np.int16)
    stack = sliced(image, mask, (3.0, *mm), image_size=size)
    of_mask = np.argwhere(stack.masks_SHW[0]).mean(axis=0)
    of_image = np.argwhere(stack.images_SHW[0] > 127).mean(axis=0)
    assert np.abs(of_mask - of_image).max() < 0.5


def test_no_label_is_invented() -> None:
    mask = np.zeros((2, 61, 47), np.uint8)
    mask[:, 10:50, 10:40] = 3
    mask[:, 20:30, 20:30] = 1
    classes = [{"name": name} for name in ("a", "b", "c")]
    stack = sliced(ramp((2, 61, 47)), mask, classes=classes, image_size=24)
    assert set(np.unique(stack.masks_SHW)) == {0, 1, 3}


def test_shrinking_averages_instead_of_sampling() -> None:
    stripes = np.where(np.arange(256) % 2, 155, -100).astype(np.int16)
    stack = sliced(np.broadcast_to(stripes, (1, 256, 256)), ones((1, 256, 256)))
    assert np.abs(stack.images_SHW[:, :, 2:-2].astype(int) - 127).max() <= 4


# Selection


@pytest.mark.parametrize(
    ("interpolation", "overshoots"), [("triangle", 0), ("box", 0), ("cubic", 1), ("lanczos", 1)]
)
def test_each_filter_keeps_the_range_and_is_recorded(interpolation: str, overshoots: int) -> None:
    """Enlarged edges of a step: cubic and Lanczos pass 255 there and must not wrap around to black."""
    image = np.full((1, 16, 16), 0, np.float32)
    image[0, :, 8:] = 200
    high = {"kind": "window", "low": 0, "high": 255}
    stack = sliced(image, ones((1, 16, 16)), interpolation=interpolation, intensity=high)
    row = stack.images_SHW[0, 16].astype(int)
    assert (row[0], row[-1]) == (0, 200)
    assert (row.max() > 200) == bool(overshoots)
    full = {"kind": "window", "low": 0, "high": 200}
    row = sliced(image, ones((1, 16, 16)), interpolation=interpolation, intensity=full).images_SHW[0, 16]
    assert (row[:14] < 30).all()
    assert (row[18:] > 225).all()
    assert stack.provenance["resampling"].startswith(f"image: {interpolation} filter; mask: nearest")


def test_the_default_filter_is_the_triangle() -> None:
    resampling = sliced(ramp(), ones()).provenance["resampling"]
    assert resampling == "image: triangle filter; mask: nearest neighbour; padded to a square"


def test_z_ascends_and_slices_are_chosen_by_share_and_step() -> None:
    mask = np.zeros((10, 32, 32), np.uint8)
    for z in range(10):
        mask[z, :z] = 1  # share z / 32
    image = np.arange(10, dtype=np.int16)[:, None, None] * np.ones((1, 32, 32), np.int16)
    window = {"kind": "window", "low": 0, "high": 255}
    stack = sliced(image, mask, intensity=window, slices={"min_foreground": 4 / 32, "every": 2})
    assert stack.images_SHW[:, 0, 0].tolist() == [4, 6, 8]
    assert stack.positions_S.tolist() == [-50 + 3 * z for z in (4, 6, 8)]
    assert stack.masks_SHW[:, :, 0].sum(axis=1).tolist() == [4, 6, 8]
    assert stack.names == ["p1_slice_0", "p1_slice_1", "p1_slice_2"]
    assert len(sliced(image, mask, intensity=window).images_SHW) == 10


# Refusals


def refusal(image: Volume, mask: Volume, **changes: Any) -> str:
    with pytest.raises(ValueError, match="p1") as caught:
        to_stack("p1", image, mask, preparation(**changes))
    return str(caught.value)


def test_a_class_outside_the_table() -> None:
    message = refusal(volume(ramp()), volume(ones() * 3))
    assert (
        "mask value 3 is outside the class table, which defines 1…2 (body, lungs); add the class" in message
    )


def test_unequal_grids() -> None:
    assert "the image has shape (4, 32, 32) (z, y, x)" in refusal(volume(ramp()), volume(ones((4, 31, 32))))
    assert "are on different grids" in refusal(volume(ramp()), volume(ones(), start=-49))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_without_a_number(bad: float) -> None:
    image = ramp()
    image[2, 1, 0] = bad
    message = refusal(volume(image), volume(ones()))
    assert "NaN or infinite" in message
    assert "z=2, y=1, x=0" in message


def test_an_empty_patient() -> None:
    assert "p1 is empty: no voxel of its mask is labelled" in refusal(volume(ramp()), volume(0 * ones()))


def test_no_slice_left() -> None:
    mask = np.zeros((4, 32, 32), np.uint8)
    mask[0, 0, 0] = 1
    message = refusal(volume(ramp()), volume(mask), slices={"min_foreground": 0.5})
    assert (
        "has no slice left: 4 slices, none with the share 0.5 of labelled pixels that was asked for"
        in message
    )
    assert "lower slices.min_foreground" in message


@pytest.mark.parametrize("intensity", [WINDOW, {"kind": "percentile", "low": 1, "high": 99}])
@pytest.mark.parametrize("value", [-2000, 3000])
def test_a_volume_of_one_grey_value(intensity: Any, value: int) -> None:
    message = refusal(volume(np.full((4, 32, 32), value, np.int16)), volume(ones()), intensity=intensity)
    assert f"voxels run from {value} to {value}" in message
    assert "choose another `intensity`" in message


def test_provenance_is_json_and_says_how_pixels_were_made() -> None:
    provenance = json.loads(json.dumps(sliced(ramp(), ones(), slices={"every": 2}).provenance))
    assert provenance["image"] == {"series_uid": "1.2.3"}
    assert provenance["spacing_zyx_mm"] == [3, 1, 1]
    assert provenance["slices"] == {"every": 2, "min_foreground": 0.0}
    assert (provenance["raw_value_of_0"], provenance["raw_value_of_255"]) == (-100, 155)
