"""Write a folder of invented patients with masks, to try the pipeline on; run by hand."""

import argparse
from pathlib import Path

import segguided.missing_packages  # noqa: F401 - first, see there

from segguided.app.example_data import write_example
from segguided.cli import run


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="new folder")
    parser.add_argument("--patients", type=int, default=6)
    return parser


if __name__ == "__main__":
    run(write_example, command_line())
