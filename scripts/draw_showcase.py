"""Rule draw_showcase: the README's picture, masks and images on a dark ground, a block a dataset."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.reserved import REAL
from segguided.figures.blocks import DARK, draw_blocks, save_figure
from segguided.figures.panels import MASK, read_panels
from segguided.figures.settings import FigureDataset, ModelTitles, figure_parser


def draw_showcase(
    datasets: Sequence[FigureDataset],
    models: ModelTitles,
    real: Sequence[str],
    n_slices: int,
    png: Path,
) -> None:
    """Write the picture, each (model, title) a column; real images only of the datasets named in `real`.

    Images of third parties must not be published with it, so showing none is the default.
    """
    unknown = sorted(set(real) - {dataset.name for dataset in datasets})
    if unknown:
        raise ValueError(f"--real names {', '.join(unknown)}, which no --dataset has")
    blocks = []
    for dataset in datasets:
        shown = [(REAL, "real image")] if dataset.name in real else []
        blocks.append(read_panels(dataset, n_slices).block([(MASK, "mask"), *models, *shown]))
    save_figure(draw_blocks(blocks, stacked=True, theme=DARK), png)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = figure_parser(__doc__, n_slices=3, models=True, pdf=False)
    parser.add_argument("--real", nargs="*", default=[], help="datasets whose real images may be shown")
    return parser


if __name__ == "__main__":
    run(draw_showcase, command_line())
