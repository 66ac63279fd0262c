"""List the organs of each CT-ORG case in a folder and check their positions; run by hand, not by a rule."""

import argparse
import logging
from pathlib import Path

import segguided.missing_packages  # noqa: F401 - first, see there

from segguided.cli import run
from segguided.data.datasets.ct_org import describe_labels
from segguided.data.datasets.ct_org_files import find_labels
from segguided.files import write_text

LOG = logging.getLogger("segguided")


def list_ct_org(folder: Path, output: Path) -> None:
    """Write a row for each labels-N.nii.gz in or below `folder`: voxels of each organ, header, anatomy.

    Raises ValueError where there are none, or where a case has two files.
    """
    files = find_labels(folder)
    if not files:
        raise ValueError(f"{folder}: no labels-N.nii.gz there or below; name the folder downloaded from TCIA")
    rows = []
    for case in sorted(files):
        row = {"case": str(case), **describe_labels(files[case])}
        LOG.info("%s", "\t".join(row.values()))
        rows.append(row)
    lines = ["\t".join(rows[0])] + ["\t".join(row.values()) for row in rows]
    write_text(output, "\n".join(lines) + "\n")


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of labels-N.nii.gz, at any depth")
    parser.add_argument("--output", type=Path, required=True, help="table to write, for choose_ct_org.py")
    return parser


if __name__ == "__main__":
    run(list_ct_org, command_line())
