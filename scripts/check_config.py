"""Check configuration files as the workflow does, and name the file and line of a mistake; run by hand.

Snakemake reads the files after --configfile before the workflow can, and names neither file nor line.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import segguided.missing_packages  # noqa: F401 - first, see there

import yaml
from snakemake.utils import update_config

from segguided.cli import run
from segguided.config.checks.strict_yaml import check_files
from segguided.config.workflow import load

LOG = logging.getLogger("segguided")


def check_config(files: Sequence[Path]) -> None:
    """Raise ValueError for a mistake in one of the files, or in all together, where later ones win."""
    absent = [path for path in files if not path.is_file()]
    if absent:
        raise ValueError(f"{absent[0]}: expected a configuration file, but there is none; correct its name")
    check_files(files)
    values: dict[str, Any] = {}
    for path in files:
        update_config(values, yaml.safe_load(path.read_text(encoding="utf-8-sig")))
    load(values)
    LOG.info("%s: no mistake", ", ".join(map(str, files)))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "files", type=Path, nargs="+", help="config.yaml first, then those of --configfile, in their order"
    )
    return parser


if __name__ == "__main__":
    run(check_config, command_line())
