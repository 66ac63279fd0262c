"""Figures 3 and 6: test masks with classes removed, and several images generated from each.

Shape suffixes: H and W pixels.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segguided.config.reserved import FULL
from segguided.figures.blocks import Block, Column
from segguided.figures.mask_variants import MaskVariants, read_mask_variants
from segguided.figures.settings import FigureDataset
from segguided.figures.shown_slices import choose_slices
from segguided.generation.variants import SEPARATOR, kept_classes

SHOWN = 4  # slices chosen for figures 3 and 6 together


@dataclass(frozen=True)
class ModelImages:
    """A model's columns: how many images at most of each partial mask, and the title over them."""

    model: str
    title: str
    n_images: int


def partial_blocks(
    datasets: Sequence[FigureDataset], models: Sequence[ModelImages], places: Collection[int]
) -> list[Block]:
    """A block for each dataset; `places` says which of the `SHOWN` chosen slices it shows, from 0."""
    return [partial_block(dataset, models, places) for dataset in datasets]


def partial_block(dataset: FigureDataset, models: Sequence[ModelImages], places: Collection[int]) -> Block:
    """Masks with classes removed and each model's images of them, side by side.

    A row for each slice and condition, the full mask first; its name says which classes are free.
    """
    variants = {m.model: read_mask_variants(dataset, m.model).with_class_names() for m in models}
    first = variants[models[0].model]
    rows = _rows(first, places)
    columns = [Column("mask", [_mask_tile(first, *row) for row in rows])]
    n_numbers = len(first.images) // len(_conditions(first))
    for model in models:
        images = variants[model.model].images
        for number in range(min(model.n_images, n_numbers)):
            columns.append(Column(f"{model.title} {number + 1}", _tiles(images, rows, number)))
    names = [_free_classes(dataset, condition) for _, condition in rows]
    return Block(dataset.title, columns, dataset.legend, rows=names)


def _rows(variants: MaskVariants, places: Collection[int]) -> list[tuple[int, str]]:
    """Slice and condition of each row."""
    chosen = choose_slices(variants.slices.masks, SHOWN)
    visible = [row for place, row in enumerate(chosen) if place in places]
    return [(row, condition) for row in visible for condition in _conditions(variants)]


def _conditions(variants: MaskVariants) -> list[str]:
    """The conditions, in the order of the file; a variant is a condition and a number."""
    return list(dict.fromkeys(variant.rsplit(SEPARATOR, 1)[0] for variant in variants.images))


def _free_classes(dataset: FigureDataset, condition: str) -> str:
    """The name of a row: the titles of the classes that its mask leaves free."""
    kept = dataset.class_names if condition == FULL else kept_classes(condition)
    free = [title for name, title in dataset.drawn_titles.items() if name not in kept]
    return f"free: {', '.join(free)}" if free else "full mask"


def _mask_tile(variants: MaskVariants, row: int, condition: str) -> np.ndarray:
    kept = variants.dataset.class_names if condition == FULL else kept_classes(condition)
    return variants.mask_tile(row, kept)


def _tiles(
    images: Mapping[str, np.ndarray], rows: Sequence[tuple[int, str]], number: int
) -> list[np.ndarray]:
    """The image (H, W) of each row with one number."""
    return [images[f"{condition}{SEPARATOR}{number}"][row] for row, condition in rows]
