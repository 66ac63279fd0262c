"""Blocks of Figures 1, 2 and 5 and of the showcase, from slice files and generated sets.

Shape suffixes: H and W pixels.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from pydantic import field_validator

from segguided.cli import slices_parser
from segguided.config.base import Settings
from segguided.config.reserved import REAL
from segguided.data.slices import SliceSet, read_generated, read_slices
from segguided.figures.blocks import Block, Column, choose_slices, colourise
from segguided.figures.colours import mask_colours
from segguided.text_tables import read_lines

MASK = "mask"
FIGURE2_SLICES = 4  # a dataset; figure 5 shows others


class FigureClass(Settings):
    """Name and colour of one class."""

    name: str
    color: str


class FigureDataset(Settings):
    """One block's data: classes, the test patients' slice files, and the generated set of each model.

    In place of the slice files, `slices` may be @FILE: they are its lines, as on a command line.
    """

    name: str
    classes: tuple[FigureClass, ...]
    slices: tuple[Path, ...]
    generated: dict[str, Path]

    @property
    def colours(self) -> dict[str, str]:
        """Each class's colour, unlike all others'."""
        return mask_colours({one.name: one.color for one in self.classes})

    @field_validator("slices", mode="before")
    @classmethod
    def _listed(cls, slices: object) -> object:
        if isinstance(slices, str) and slices.startswith("@"):
            return read_lines(Path(slices[1:]))
        return slices


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


def read_panels(dataset: FigureDataset, n_slices: int, skip: int = 0) -> Panels:
    """The tiles of n_slices test slices, chosen by their masks alone. ValueError for a missing image.

    `skip`: how many slices another figure shows; they are chosen as it chooses them, and left out.
    """
    slices = read_slices(dataset.slices)
    masks_SHW = list(chain.from_iterable(stack.masks_SHW for stack in slices.stacks))
    shown = choose_slices(masks_SHW, skip) if skip else []
    chosen = choose_slices(masks_SHW, n_slices, without=shown)
    real, masks = slices.batch(np.array(chosen))
    colours = dataset.colours
    tiles = {REAL: list(real), MASK: [colourise(mask_HW, list(colours.values())) for mask_HW in masks]}
    for model, path in dataset.generated.items():
        tiles[model] = generated_tiles(path, slices, [slices.names[i] for i in chosen])
    return Panels(dataset.name, colours, tiles)


def generated_tiles(path: Path, slices: SliceSet, names: Sequence[str]) -> list[np.ndarray]:
    """The generated images (H, W) that belong to mask ids of `slices`, copied into memory."""
    images_NHW, found = read_generated(path, slices)
    rows = {name: row for row, name in enumerate(found)}
    missing = [name for name in names if name not in rows]
    if missing:
        raise ValueError(f"{path} holds no image for {', '.join(missing)}; generate the set again")
    return [np.array(images_NHW[rows[name]]) for name in names]


def comparison_blocks(
    datasets: Sequence[FigureDataset], models: Sequence[tuple[str, str]], n_slices: int, skip: int = 0
) -> list[Block]:
    """Blocks of Figures 2 and 5: masks, each (model, title)'s images from them, the real images."""
    columns = [(MASK, "mask"), *models, (REAL, "real image")]
    return [read_panels(dataset, n_slices, skip).block(columns) for dataset in datasets]


def figure_parser(
    description: str | None, n_slices: int | None = None, *, models: bool = False, pdf: bool = True
) -> ArgumentParser:
    """The command line that figures share: --dataset once a block, --png and, if `pdf`, --pdf.

    With a default `n_slices` also --n-slices; with `models` also --model NAME TITLE, once a model, in order.
    """
    parser = slices_parser(description)
    parser.add_argument(
        "--dataset",
        dest="datasets",
        type=FigureDataset.from_json,
        action="append",
        required=True,
        help="JSON; repeat",
    )
    if models:
        parser.add_argument(
            "--model",
            dest="models",
            nargs=2,
            action="append",
            required=True,
            metavar=("NAME", "TITLE"),
            help="a column; repeat, in order",
        )
    if n_slices is not None:
        parser.add_argument("--n-slices", type=int, default=n_slices, help="test slices a dataset")
    parser.add_argument("--png", type=Path, required=True)
    if pdf:
        parser.add_argument("--pdf", type=Path, required=True)
    return parser
