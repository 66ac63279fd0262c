"""Rule draw_figure6: more test masks with classes removed, other slices than figure 3."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.figures import draw_blocks, save_figure
from segguided.panels import FigureDataset, add_dataset_argument
from segguided.variant_panels import partial_block

DRAWS = 3  # images shown of each partial mask
PLACES = (0, 2, 3)  # of the slices chosen for figures 3 and 6, those that figure 3 does not show


def draw_figure6(datasets: Sequence[FigureDataset], model: str, png: Path, pdf: Path) -> None:
    """Write Figure 6: samples of the model trained on ablated masks, datasets side by side."""
    blocks = [partial_block(dataset, [(model, DRAWS, model)], PLACES) for dataset in datasets]
    save_figure(draw_blocks(blocks), png, pdf)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_dataset_argument(parser)
    parser.add_argument("--model", required=True, help="whose samples are shown")
    parser.add_argument("--png", type=Path, required=True)
    parser.add_argument("--pdf", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Read the command line and draw the figure."""
    draw_figure6(**vars(parse_arguments()))


if __name__ == "__main__":
    run(main)
