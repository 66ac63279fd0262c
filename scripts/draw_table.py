"""Rule draw_table: a table's picture, typeset as in print, from the table's CSV."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.evaluation.csv_files import read_csv
from segguided.figures.blocks import save_figure
from segguided.figures.fonts import drawable
from segguided.tables.inputs import TableSettings
from segguided.tables.layouts import LAYOUTS
from segguided.tables.sheet import make_sheet
from segguided.tables.typeset import draw_sheet


def draw_table(*, table: int, csv: Path, settings: TableSettings, png: Path, pdf: Path) -> None:
    """Write the picture of the table whose numbers `csv` holds; `settings` have the classes' titles."""
    frame = settings.with_class_titles(read_csv(csv), drawable)
    save_figure(draw_sheet(make_sheet(LAYOUTS[table], frame)), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=int, choices=sorted(LAYOUTS), required=True)
    parser.add_argument("--csv", type=Path, required=True, help="what make_table wrote")
    parser.add_argument("--settings", type=TableSettings.from_json, required=True, help="make_table's, JSON")
    parser.add_argument("--png", type=Path, required=True)
    parser.add_argument("--pdf", type=Path, required=True)
    return parser


if __name__ == "__main__":
    run(draw_table, command_line())
