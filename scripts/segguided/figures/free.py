"""Figure 1: real images, images of their masks, and images that no given mask guides.

Shape suffixes: N images of a set, H and W pixels.
"""

from segguided.config.reserved import REAL
from segguided.data.slices import read_generated, read_seen_masks, read_slices
from segguided.figures.blocks import Block, Column, colourise
from segguided.figures.panels import MASK, read_panels
from segguided.figures.settings import FigureDataset, ModelTitles


def figure1_block(dataset: FigureDataset, models: ModelTitles, n_slices: int) -> Block:
    """A block of `n_slices` rows; the images of no mask are unrelated to the slices of their rows."""
    panels = read_panels(dataset, n_slices)
    block = panels.block([(REAL, "real image"), (MASK, "its mask"), *models])
    return Block(block.title, [*block.columns, *_free_columns(dataset, n_slices)], block.colours)


def _free_columns(dataset: FigureDataset, n_slices: int) -> list[Column]:
    """Masks made from nothing but a seed, and their images; none without such a set.

    Raises ValueError for a set with fewer images than rows.
    """
    if dataset.free is None:
        return []
    images_NHW, names = read_generated(dataset.free, read_slices(dataset.slices))
    if len(names) < n_slices:
        raise ValueError(f"{dataset.free} holds {len(names)} images, expected {n_slices}; generate it again")
    masks_NHW = read_seen_masks(dataset.free, images_NHW)
    palette = list(dataset.colours.values())
    masks = [colourise(mask_HW, palette) for mask_HW in masks_NHW[:n_slices]]
    return [Column("mask from nothing", masks), Column("its image", list(images_NHW[:n_slices]))]
