"""Rule draw_figure2: test masks, each model's image from them, and the real image, datasets side by side."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.figures import draw_blocks, save_figure
from segguided.panels import MASK, REAL, FigureDataset, add_dataset_argument, read_panels


def draw_figure2(
    datasets: Sequence[FigureDataset], models: Sequence[str], n_slices: int, png: Path, pdf: Path
) -> None:
    """Write Figure 2 with the models' columns in the order given."""
    columns = [(MASK, "mask"), *((model, model) for model in models), (REAL, "real image")]
    blocks = [read_panels(dataset, n_slices).block(columns) for dataset in datasets]
    save_figure(draw_blocks(blocks), png, pdf)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_dataset_argument(parser)
    parser.add_argument("--models", nargs="+", required=True, help="columns, in this order")
    parser.add_argument("--n-slices", type=int, default=4, help="test slices a dataset")
    parser.add_argument("--png", type=Path, required=True)
    parser.add_argument("--pdf", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Read the command line and draw the figure."""
    draw_figure2(**vars(parse_arguments()))


if __name__ == "__main__":
    run(main)
