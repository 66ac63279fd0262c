"""Rule draw_figure1: real, mask-guided and unconditional images of test slices, a block of rows a dataset."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.reserved import REAL
from segguided.figures.blocks import draw_blocks, save_figure
from segguided.figures.panels import MASK, read_panels
from segguided.figures.settings import FigureDataset, figure_parser

GUIDED = "segguided"
UNCONDITIONAL = "unconditional"
COLUMNS = (
    (REAL, "real image"),
    (MASK, "its mask"),
    (GUIDED, "mask-guided"),
    (UNCONDITIONAL, "unconditional"),
)


def draw_figure1(datasets: Sequence[FigureDataset], n_slices: int, png: Path, pdf: Path) -> None:
    """Write Figure 1; each dataset needs the generated sets `segguided` and `unconditional`."""
    blocks = [read_panels(dataset, n_slices).block(COLUMNS) for dataset in datasets]
    save_figure(draw_blocks(blocks, stacked=True), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    return figure_parser(__doc__, n_slices=3)


if __name__ == "__main__":
    run(draw_figure1, command_line())
