"""Rule draw_figure1: real and mask-guided images of test slices, and images of no mask."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.figures.blocks import draw_blocks, save_figure
from segguided.figures.free import figure1_block
from segguided.figures.settings import FigureDataset, ModelTitles, figure_parser


def draw_figure1(
    datasets: Sequence[FigureDataset], models: ModelTitles, n_slices: int, png: Path, pdf: Path
) -> None:
    """Write Figure 1: a column for each model, and two where masks were made from nothing, too."""
    blocks = [figure1_block(dataset, models, n_slices) for dataset in datasets]
    save_figure(draw_blocks(blocks, stacked=True), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    return figure_parser(__doc__, n_slices=3, models=True)


if __name__ == "__main__":
    run(draw_figure1, command_line())
