"""Rule draw_figure2: test masks, each model's image from them, and the real image, datasets side by side."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.figures.blocks import draw_blocks, save_figure
from segguided.figures.panels import FIGURE2_SLICES, FigureDataset, comparison_blocks, figure_parser


def draw_figure2(
    datasets: Sequence[FigureDataset],
    models: Sequence[tuple[str, str]],
    n_slices: int,
    png: Path,
    pdf: Path,
) -> None:
    """Write Figure 2 with the (model, title) columns in the order given."""
    save_figure(draw_blocks(comparison_blocks(datasets, models, n_slices)), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    return figure_parser(__doc__, n_slices=FIGURE2_SLICES, models=True)


if __name__ == "__main__":
    run(draw_figure2, command_line())
