"""Tiles of chosen test slices: masks, real images and each model's, for Figures 1, 2, 5 and the showcase.

Shape suffixes: N images of a set, H and W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from segguided.config.figures import ShownMasks
from segguided.config.reserved import REAL
from segguided.data.slices import SliceSet, read_generated, read_slices
from segguided.figures.blocks import Block, Column, colourise
from segguided.figures.settings import FigureDataset
from segguided.figures.shown_slices import choose_slices, random_slices

MASK = "mask"
CHOSEN = ShownMasks(masks="chosen")


@dataclass(frozen=True)
class Panels:
    """Chosen test slices: coloured masks, real images, and each model's images from the same masks."""

    name: str
    title: str  # over the block
    colours: dict[str, str]  # by class title
    tiles: dict[str, list[np.ndarray]]  # by REAL, MASK or model name
    names: list[str]  # the mask ids

    def block(self, columns: Sequence[tuple[str, str]]) -> Block:
        """A block with a column for each (tiles' key, title)."""
        missing = sorted({key for key, _ in columns} - self.tiles.keys())
        if missing:
            raise ValueError(
                f"{self.name}: no images of {', '.join(missing)}; there are {', '.join(self.tiles)}"
            )
        return Block(self.title, [Column(title, self.tiles[key]) for key, title in columns], self.colours)


def read_panels(dataset: FigureDataset, n_slices: int, skip: int = 0, shown: ShownMasks = CHOSEN) -> Panels:
    """The tiles of `n_slices` test slices: random ones, or chosen by their masks alone, as `shown` says.

    `skip` is the number of slices that another figure takes in the same way: these are left out. Raises
    ValueError for a missing image.
    """
    slices = read_slices(dataset.slices)
    masks = list(chain.from_iterable(stack.masks_SHW for stack in slices.stacks))
    chosen = _rows(masks, n_slices, skip, shown)
    names = [slices.names[row] for row in chosen]
    real_NHW, masks_NHW = slices.batch(np.array(chosen))
    palette = list(dataset.colours.values())
    tiles = {REAL: list(real_NHW), MASK: [colourise(mask_HW, palette) for mask_HW in masks_NHW]}
    for model, path in dataset.generated.items():
        tiles[model] = generated_tiles(path, slices, names)
    return Panels(dataset.name, dataset.title, dataset.legend, tiles, names)


def _rows(masks: Sequence[np.ndarray], n_slices: int, skip: int, shown: ShownMasks) -> list[int]:
    """The indices of the slices that are shown."""
    if shown.masks == "random":
        return random_slices(masks, n_slices, shown.seed, skip)
    shown_elsewhere = choose_slices(masks, skip) if skip else []
    return choose_slices(masks, n_slices, without=shown_elsewhere)


def generated_tiles(path: Path, slices: SliceSet, names: Sequence[str]) -> list[np.ndarray]:
    """The generated images (H, W) that belong to mask ids of `slices`, copied into memory."""
    images_NHW, ids = read_generated(path, slices)
    row_of = {name: row for row, name in enumerate(ids)}
    missing = [name for name in names if name not in row_of]
    if missing:
        raise ValueError(f"{path} holds no image for {', '.join(missing)}; generate the set again")
    return [np.array(images_NHW[row_of[name]]) for name in names]
