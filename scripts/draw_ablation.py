"""Rule draw_ablation: what each setting of a model adds, as a figure."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.evaluation.csv_files import read_csv
from segguided.figures.ablation import ablation_figure
from segguided.figures.blocks import save_figure


def draw_ablation(csv: Path, png: Path, pdf: Path) -> None:
    """Draw the table of `make_ablation`."""
    save_figure(ablation_figure(read_csv(csv)), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, required=True, help="table of make_ablation")
    parser.add_argument("--png", type=Path, required=True)
    parser.add_argument("--pdf", type=Path, required=True)
    return parser


if __name__ == "__main__":
    run(draw_ablation, command_line())
