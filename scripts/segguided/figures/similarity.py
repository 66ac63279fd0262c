"""Figure 4: images of adjustable similarity to a real one, and the likeness measured against λ.

Shape suffixes: M masks, H and W pixels.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from segguided.evaluation.csv_files import read_csv
from segguided.figures.blocks import Block, Column, choose_slices
from segguided.figures.legend import TEXT_POINTS
from segguided.figures.mask_variants import read_mask_variants
from segguided.figures.settings import FigureDataset
from segguided.generation.variants import condition_of

PLOTTED = {"ssim": ("SSIM", "tab:blue", "o"), "dice_macro": ("anatomical Dice", "tab:orange", "s")}


def similarity_block(dataset: FigureDataset, kept: Sequence[str], curve: Path, n_slices: int) -> Block:
    """Images by λ from the partial mask beside the real image, with the measured likeness as a plot."""
    (model,) = dataset.generated
    variants = read_mask_variants(dataset, model)
    chosen = choose_slices(variants.slices.masks, n_slices)
    columns = [Column(f"mask: {condition_of(kept)}", [variants.mask_tile(row, kept) for row in chosen])]
    for share, images_MHW in variants.images.items():
        columns.append(Column(f"λ = {share}", [images_MHW[row] for row in chosen]))
    columns.append(Column("real image", [variants.slices.images[row] for row in chosen]))
    return Block(dataset.name, columns, dataset.colours, similarity_plot(read_csv(curve)))


def similarity_plot(frame: pd.DataFrame) -> Callable[[Axes], None]:
    """A function that draws SSIM and Dice with the real image (columns ssim, dice_macro) against λ."""

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
