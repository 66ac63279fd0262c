"""Figure 4: images of adjustable similarity to a real one; likeness and diversity, measured against λ.

Shape suffixes: M masks, H and W pixels.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from segguided.evaluation.csv_files import read_csv
from segguided.figures.blocks import Block, Column
from segguided.figures.legend import TEXT_POINTS
from segguided.figures.mask_variants import read_mask_variants
from segguided.figures.settings import FigureDataset
from segguided.figures.shown_slices import choose_slices
from segguided.generation.variants import SEPARATOR, condition_of

PLOTTED = {"ssim": ("SSIM", "tab:blue", "o"), "dice_macro": ("anatomical Dice", "tab:orange", "s")}
FIRST = f"{SEPARATOR}0"  # the image of each mask and λ that is shown; the others are measured
OUTLINE = [withStroke(linewidth=2.5, foreground="grey")]  # a class may be white, as the paper is


def similarity_block(dataset: FigureDataset, kept: Sequence[str], curve: Path, n_slices: int) -> Block:
    """Images by λ from the partial mask beside the real image, with what was measured as plots."""
    (model,) = dataset.generated
    variants = read_mask_variants(dataset, model)
    chosen = choose_slices(variants.slices.masks, n_slices)
    given = condition_of([dataset.drawn_titles[name] for name in kept])
    columns = [Column(f"mask: {given}", [variants.mask_tile(row, kept) for row in chosen])]
    for variant, images_MHW in variants.images.items():
        if variant.endswith(FIRST):
            title = f"λ = {variant.removesuffix(FIRST)}"
            columns.append(Column(title, [images_MHW[row] for row in chosen]))
    columns.append(Column("real image", [variants.slices.images[row] for row in chosen]))
    frame = read_csv(curve)
    plots = (similarity_plot(frame), diversity_plot(frame, dataset.colours, kept))
    return Block(dataset.title, columns, dataset.legend, plots)


def similarity_plot(frame: pd.DataFrame) -> Callable[[Axes], None]:
    """A function that draws SSIM and Dice with the real image (columns ssim, dice_macro) against λ."""

    def draw(axes: Axes) -> None:
        for column, (label, colour, marker) in PLOTTED.items():
            axes.plot(frame["lambda"], frame[column], color=colour, marker=marker, label=label)
        axes.set(ylim=(0, 1.03))
        _label(axes, frame, "with the real image")
        axes.legend(fontsize=TEXT_POINTS, frameon=False, loc="lower right")

    return draw


def diversity_plot(
    frame: pd.DataFrame, colours: Mapping[str, str], kept: Collection[str]
) -> Callable[[Axes], None]:
    """A function that draws each class's diversity (columns diversity_CLASS) against λ, in its colour.

    The line of a class that is not `kept`, but free, is dashed.
    """

    def draw(axes: Axes) -> None:
        for name, colour in colours.items():
            values = frame[f"diversity_{name}"]
            line = "-" if name in kept else "--"
            axes.plot(frame["lambda"], values, color=colour, linestyle=line, marker="o", path_effects=OUTLINE)
        axes.set_ylim(0, 1.03 * max(1, axes.get_ylim()[1]))
        _label(axes, frame, "diversity (1: real patients)")

    return draw


def _label(axes: Axes, frame: pd.DataFrame, quantity: str) -> None:
    """Ticks and names of the axes: `quantity` against λ."""
    axes.set(xticks=frame["lambda"])
    axes.set_xlabel("λ", fontsize=TEXT_POINTS, labelpad=1)
    axes.set_ylabel(quantity, fontsize=TEXT_POINTS, labelpad=2)
    axes.tick_params(labelsize=TEXT_POINTS - 1)
    axes.spines[["top", "right"]].set_visible(False)
