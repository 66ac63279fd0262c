"""Blocks of Figures 3, 4 and 6: test masks in part, and the several images drawn from each.

Shape suffixes: M masks, H and W pixels.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from segguided.config.reserved import FULL
from segguided.data.slices import SliceSet, read_slices
from segguided.evaluation.measured import read_csv
from segguided.figures.blocks import Block, Column, choose_slices, colourise
from segguided.figures.legend import TEXT_POINTS
from segguided.figures.panels import FigureDataset
from segguided.generation.variants import condition_of, kept_classes, read_variants, with_class_names

SHOWN = 4  # slices chosen for figures 3 and 6 together
PLOTTED = {"ssim": ("SSIM", "tab:blue", "o"), "dice_macro": ("anatomical Dice", "tab:orange", "s")}


@dataclass(frozen=True)
class Variants:
    """A dataset's variants of one model, and the slices they were drawn for."""

    dataset: FigureDataset
    images: Mapping[str, np.ndarray]  # (M, H, W) a variant
    slices: SliceSet

    @classmethod
    def of(cls, dataset: FigureDataset, model: str) -> "Variants":
        """What `dataset.generated` names for `model`."""
        if model not in dataset.generated:
            raise ValueError(
                f"{dataset.name}: no images of {model}; there are {', '.join(dataset.generated)}"
            )
        return cls(dataset, *read_variants(dataset.generated[model], read_slices(dataset.slices)))

    def named(self) -> "Variants":
        """The same, in whose conditions classes have their names."""
        return replace(self, images=with_class_names(self.images, [c.name for c in self.dataset.classes]))

    def mask_tile(self, row: int, kept: Collection[str]) -> np.ndarray:
        """The coloured mask (H, W, 3) of one slice with only the classes `kept`."""
        names = [c.name for c in self.dataset.classes]
        mask_HW = self.slices.masks[row]
        visible = np.where(np.isin(mask_HW, [names.index(name) + 1 for name in kept]), mask_HW, 0)
        return colourise(visible, list(self.dataset.colours.values()))


def partial_block(
    dataset: FigureDataset, columns: Sequence[tuple[str, int, str]], places: Collection[int]
) -> Block:
    """Masks with classes removed and images from them: `columns` gives model, draws at most and title.

    A row a slice and condition, the full mask first; `places` says which of the `SHOWN` chosen slices.
    """
    of_model = {model: Variants.of(dataset, model).named() for model, _, _ in columns}
    first = next(iter(of_model.values()))
    chosen = [row for i, row in enumerate(choose_slices(first.slices.masks, SHOWN)) if i in places]
    conditions = list(dict.fromkeys(variant.rsplit("/", 1)[0] for variant in first.images))
    rows = [(row, name) for row in chosen for name in conditions]
    every_class = [c.name for c in dataset.classes]
    masks = [first.mask_tile(row, every_class if name == FULL else kept_classes(name)) for row, name in rows]
    made = [Column("mask", masks)]
    for model, draws, title in columns:
        for draw in range(min(draws, len(first.images) // len(conditions))):
            tiles = [of_model[model].images[f"{name}/{draw}"][row] for row, name in rows]
            made.append(Column(f"{title} {draw + 1}", tiles))
    return Block(dataset.name, made, dataset.colours)


def similarity_block(dataset: FigureDataset, kept: Sequence[str], curve: Path, n_slices: int) -> Block:
    """Images by λ from the partial mask beside the real image, with the measured likeness as a plot."""
    (model,) = dataset.generated
    variants = Variants.of(dataset, model)
    chosen = choose_slices(variants.slices.masks, n_slices)
    columns = [Column(f"mask: {condition_of(kept)}", [variants.mask_tile(row, kept) for row in chosen])]
    for share, images_MHW in variants.images.items():
        columns.append(Column(f"λ = {share}", [images_MHW[row] for row in chosen]))
    columns.append(Column("real image", [variants.slices.images[row] for row in chosen]))
    return Block(dataset.name, columns, dataset.colours, similarity_plot(read_csv(curve)))


def similarity_plot(frame: pd.DataFrame) -> Callable[[Axes], None]:
    """What draws SSIM and Dice with the real image (columns ssim, dice_macro) against λ."""

    def draw(axes: Axes) -> None:
        for column, (label, colour, marker) in PLOTTED.items():
            axes.plot(frame["lambda"], frame[column], color=colour, marker=marker, label=label)
        axes.set(xticks=frame["lambda"], ylim=(0, 1.03))
        axes.set_xlabel("λ", fontsize=TEXT_POINTS, labelpad=1)
        axes.set_ylabel("with the real image", fontsize=TEXT_POINTS, labelpad=2)
        axes.tick_params(labelsize=TEXT_POINTS - 1)
        axes.legend(fontsize=TEXT_POINTS, frameon=False, loc="lower right")
        axes.spines[["top", "right"]].set_visible(False)

    return draw
