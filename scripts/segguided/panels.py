"""Blocks of Figures 1 and 2 and of the showcase, from slice files and generated sets.

Shape suffixes: H and W pixels.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from segguided.config.base import Settings
from segguided.data.slices import read_generated, read_slices
from segguided.figures import Block, Column, choose_slices, colourise

REAL, MASK = "real", "mask"


class FigureClass(Settings):
    """Name and colour of one class."""

    name: str
    color: str


class FigureDataset(Settings):
    """One block's data: classes, the test patients' slice files, and the generated set of each model."""

    name: str
    classes: tuple[FigureClass, ...]
    slices: tuple[Path, ...]
    generated: dict[str, Path]


@dataclass(frozen=True)
class Panels:
    """Chosen test slices: coloured masks, real images, and each model's images from the same masks."""

    name: str
    colours: dict[str, str]
    tiles: dict[str, list[np.ndarray]]  # by REAL, MASK or model name

    def block(self, columns: Sequence[tuple[str, str]]) -> Block:
        """A block with a column for each (tiles' key, title)."""
        missing = sorted({key for key, _ in columns} - self.tiles.keys())
        if missing:
            raise ValueError(
                f"{self.name}: no images of {', '.join(missing)}; there are {', '.join(self.tiles)}"
            )
        return Block(self.name, [Column(title, self.tiles[key]) for key, title in columns], self.colours)


def read_panels(dataset: FigureDataset, n_slices: int) -> Panels:
    """The tiles of n_slices test slices, chosen by their masks alone. ValueError for a missing image."""
    slices = read_slices(dataset.slices)
    chosen = choose_slices(chain.from_iterable(stack.masks_SHW for stack in slices.stacks), n_slices)
    real, masks = slices.batch(np.array(chosen))
    colours = {c.name: c.color for c in dataset.classes}
    tiles = {REAL: list(real), MASK: [colourise(mask_HW, list(colours.values())) for mask_HW in masks]}
    for model, path in dataset.generated.items():
        tiles[model] = generated_tiles(path, [slices.names[i] for i in chosen])
    return Panels(dataset.name, colours, tiles)


def generated_tiles(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """The generated images (H, W) that belong to the mask ids, copied into memory."""
    images_NHW, found = read_generated(path)
    rows = {name: row for row, name in enumerate(found)}
    missing = [name for name in names if name not in rows]
    if missing:
        raise ValueError(f"{path} holds no image for {', '.join(missing)}; generate the set again")
    return [np.array(images_NHW[rows[name]]) for name in names]


def add_dataset_argument(parser: ArgumentParser) -> None:
    """Give a figure's command line its `--dataset JSON`, once a block, as `datasets`."""
    parser.add_argument(
        "--dataset",
        dest="datasets",
        type=FigureDataset.from_json,
        action="append",
        required=True,
        help="JSON; repeat",
    )
