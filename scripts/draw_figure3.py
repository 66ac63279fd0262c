"""Rule draw_figure3: a test mask with classes removed, and images drawn from it with several noises."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.figures.blocks import draw_blocks, save_figure
from segguided.figures.panels import FigureDataset, figure_parser
from segguided.figures.variant_panels import partial_block

DRAWS = (3, 2)  # images shown of the first model and of each further one
PLACES = (1,)  # of the slices chosen for figures 3 and 6, the one shown here


def draw_figure3(
    datasets: Sequence[FigureDataset], models: Sequence[tuple[str, str]], png: Path, pdf: Path
) -> None:
    """Write Figure 3: samples of the first (model, title), and of the others beside."""
    columns = [(model, DRAWS[min(i, 1)], title) for i, (model, title) in enumerate(models)]
    blocks = [partial_block(dataset, columns, PLACES) for dataset in datasets]
    save_figure(draw_blocks(blocks, stacked=True), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    return figure_parser(__doc__, models=True)


if __name__ == "__main__":
    run(draw_figure3, command_line())
