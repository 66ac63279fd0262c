"""Renew the Duke patient table from the index of NCI Imaging Data Commons; run by hand, not by a rule."""

import argparse
from pathlib import Path

import segguided.missing_packages  # noqa: F401 - first, see there

from segguided.cli import run
from segguided.data.datasets.idc_index import renew_table
from segguided.files import write_text


def list_duke_series(table: Path, index: Path, output: Path) -> None:
    """Write the patients of `table` with their series before contrast from `index`."""
    write_text(output, renew_table(table, index))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--table", type=Path, required=True, help="patient table with patients, comments and notes"
    )
    parser.add_argument(
        "--index", type=Path, required=True, help="idc_index.parquet of the package idc-index-data"
    )
    parser.add_argument("--output", type=Path, required=True, help="patient table to write")
    return parser


if __name__ == "__main__":
    run(list_duke_series, command_line())
