"""Rule draw_figure6: more test masks with classes removed, other slices than figure 3."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.figures.blocks import draw_blocks, save_figure
from segguided.figures.partial_masks import ModelImages, partial_blocks
from segguided.figures.settings import FigureDataset, ModelTitles, figure_parser

IMAGES = 3  # shown of each partial mask
PLACES = (0, 2, 3)  # of the slices chosen for figures 3 and 6, those that figure 3 does not show


def draw_figure6(datasets: Sequence[FigureDataset], models: ModelTitles, png: Path, pdf: Path) -> None:
    """Write Figure 6: images of each model, datasets side by side."""
    columns = [ModelImages(name, title, IMAGES) for name, title in models]
    blocks = partial_blocks(datasets, columns, PLACES)
    save_figure(draw_blocks(blocks), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    return figure_parser(__doc__, models=True)


if __name__ == "__main__":
    run(draw_figure6, command_line())
