"""Download one pinned source package, checked by SHA-256."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.data.download import packages


def fetch_package(requirement: str, sha256: str, output: Path) -> None:
    """Write the source archive of `requirement` to `output`."""
    packages.fetch_package(requirement, sha256, output)


def command_line() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requirement", required=True, help="package with its version, such as name==1.0")
    parser.add_argument("--sha256", required=True, help="checksum of the source archive")
    parser.add_argument("--output", required=True, type=Path, help="archive to write")
    return parser


if __name__ == "__main__":
    run(fetch_package, command_line())
