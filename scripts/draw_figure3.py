"""Rule draw_figure3: a test mask with classes removed, and images generated from it with several noises."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.figures.blocks import draw_blocks, save_figure
from segguided.figures.partial_masks import ModelImages, partial_blocks
from segguided.figures.settings import FigureDataset, ModelTitles, figure_parser

FIRST_IMAGES = 3  # shown of each partial mask, of the first model
FURTHER_IMAGES = 2  # and of each further model
PLACES = (1,)  # of the slices chosen for figures 3 and 6, the one shown here


def draw_figure3(datasets: Sequence[FigureDataset], models: ModelTitles, png: Path, pdf: Path) -> None:
    """Write Figure 3: images of the first model, and of the others beside, datasets below each other."""
    columns = [
        ModelImages(name, title, FIRST_IMAGES if place == 0 else FURTHER_IMAGES)
        for place, (name, title) in enumerate(models)
    ]
    blocks = partial_blocks(datasets, columns, PLACES)
    save_figure(draw_blocks(blocks, stacked=True), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    return figure_parser(__doc__, models=True)


if __name__ == "__main__":
    run(draw_figure3, command_line())
