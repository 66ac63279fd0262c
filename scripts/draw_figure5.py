"""Rule draw_figure5: more of Figure 2, from test slices that Figure 2 does not show."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.figures import RANDOM, ShownMasks
from segguided.figures.blocks import draw_blocks, save_figure
from segguided.figures.comparison import FIGURE2_SLICES, add_shown_masks, comparison_blocks
from segguided.figures.settings import FigureDataset, ModelTitles, figure_parser


def draw_figure5(
    datasets: Sequence[FigureDataset],
    models: ModelTitles,
    n_slices: int,
    png: Path,
    pdf: Path,
    shown: ShownMasks = RANDOM,
) -> None:
    """Write Figure 5, with a column for each model in the order given."""
    blocks = comparison_blocks(datasets, models, n_slices, shown, skip=FIGURE2_SLICES)
    save_figure(draw_blocks(blocks), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    return add_shown_masks(figure_parser(__doc__, n_slices=8, models=True))


if __name__ == "__main__":
    run(draw_figure5, command_line())
