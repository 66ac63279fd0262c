"""Rule draw_figure4: images of adjustable similarity to real ones, and the likeness measured against λ."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from segguided.cli import run
from segguided.figures.blocks import draw_blocks, save_figure
from segguided.figures.settings import FigureDataset, figure_parser
from segguided.figures.similarity import similarity_block


def draw_figure4(
    datasets: Sequence[FigureDataset],
    kept: Mapping[str, Sequence[str]],
    curves: Sequence[Path],
    n_slices: int,
    png: Path,
    pdf: Path,
) -> None:
    """Write Figure 4; `kept` gives each dataset's constrained classes, `curves` its measurements."""
    blocks = [
        similarity_block(dataset, kept[dataset.name], curve, n_slices)
        for dataset, curve in zip(datasets, curves, strict=True)
    ]
    save_figure(draw_blocks(blocks, stacked=True), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = figure_parser(__doc__, n_slices=3)
    parser.add_argument("--kept", type=json.loads, required=True, help="kept classes by dataset, JSON")
    parser.add_argument("--curves", type=Path, nargs="+", required=True, help="CSV a dataset, in order")
    return parser


if __name__ == "__main__":
    run(draw_figure4, command_line())
