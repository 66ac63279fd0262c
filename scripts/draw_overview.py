"""Rule draw_overview: a dataset's contact sheet, mask outlines on slices of each patient."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run, slices_parser
from segguided.describe.overview import Overview, draw_contact_sheet, read_cells
from segguided.figures.blocks import save_figure


def draw_overview(dataset: Overview, slices: Sequence[Path], png: Path) -> None:
    """Write the sheet of the patients that `dataset` names."""
    save_figure(draw_contact_sheet(dataset, read_cells(dataset, slices)), png)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument(
        "--dataset", type=Overview.from_json, required=True, help="name, classes, patients by split; JSON"
    )
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="those patients' slice files")
    parser.add_argument("--png", type=Path, required=True)
    return parser


if __name__ == "__main__":
    run(draw_overview, command_line())
