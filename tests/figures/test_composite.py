"""Images of several channels in figures: colours, or grey pictures side by side."""

import numpy as np
import pytest

from segguided.describe.overview import outlined
from segguided.figures.blocks import Block, Column, draw_blocks
from segguided.figures.composite import shown, shown_mask, shown_title
from segguided.figures.settings import FigureDataset


def image(channels):
    return np.random.default_rng(0).integers(0, 256, (8, 8, channels)).astype(np.uint8)


def test_two_channels_are_magenta_and_green_so_that_equal_ones_are_grey():
    pixels = image(2)
    tile = shown(pixels)
    np.testing.assert_array_equal(tile[..., 0], pixels[..., 0])
    np.testing.assert_array_equal(tile[..., 1], pixels[..., 1])
    np.testing.assert_array_equal(tile[..., 2], pixels[..., 0])
    equal = shown(np.repeat(pixels[..., :1], 2, axis=-1))
    assert (equal == equal[..., :1]).all()


def test_grey_and_colour_images_stay_as_they_are():
    for pixels in (image(3), image(3)[..., 0]):
        np.testing.assert_array_equal(shown(pixels), pixels)


def test_four_channels_stand_in_two_rows_with_the_mask_behind_each():
    pixels = image(4)
    tile = shown(pixels)
    for number, (y, x) in enumerate(((0, 0), (0, 8), (8, 0), (8, 8))):
        np.testing.assert_array_equal(tile[y : y + 8, x : x + 8], pixels[..., number])
    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 2:5] = 1
    assert shown_mask(mask, 4).shape == tile.shape
    assert shown_mask(mask, 2) is mask


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_an_overview_draws_outlines_on_each_number_of_channels(channels):
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 2:6] = 1
    tile = outlined(np.zeros((8, 8, channels), np.uint8), mask, ["red"])
    drawn = (tile == (255, 0, 0)).all(-1)
    half = len(tile) // 2
    quarters = [drawn[:half, :half].any(), drawn[half:, half:].any()]
    assert quarters == [True, True]
    assert tile[drawn].size and not tile[~drawn].any()


def test_the_title_says_which_channel_has_which_colour():
    dataset = {"name": "mri", "classes": [{"name": "a", "color": "red"}], "slices": [], "generated": {}}
    titles = {
        channels: FigureDataset.model_validate({**dataset, "channels": channels}).title
        for channels in ((), ("T1", "T2"), ("r", "g", "b"))
    }
    assert list(titles.values()) == [
        "mri",
        "mri (T1 magenta, T2 green)",
        "mri (r red, g green, b blue)",
    ]
    assert shown_title("mri", ["grey"]) == "mri"


def test_a_figure_holds_the_colours_of_two_channels():
    magenta = np.zeros((8, 8, 2), np.uint8)
    magenta[..., 0] = 255
    figure = draw_blocks([Block("mri", [Column("real image", [magenta])], {"a": "red"})])
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    assert (pixels == (255, 0, 255)).all(-1).mean() > 0.2
