"""Fetch one CT-ORG patient's volume and labels, and write a receipt with their paths."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from segguided.cli import run
from segguided.config.sources.ct_org import CtOrgSource
from segguided.data.datasets.ct_org_files import fetch_patient
from segguided.seals import write_sealed


def fetch_volume(row: Mapping[str, str], settings: CtOrgSource, receipt: Path) -> None:
    """Download the files that the local folder lacks, then write the receipt.

    They go below the dataset's folder, two levels above the receipt.
    """
    write_sealed(receipt, fetch_patient(row, settings, receipt.parent.parent))


def command_line() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True, help="the patient's row of the table, JSON")
    parser.add_argument(
        "--settings", required=True, type=CtOrgSource.from_json, help="the source's settings, JSON"
    )
    parser.add_argument(
        "--receipt", required=True, type=Path, help="<results>/raw/<dataset>/receipts/<patient>.json"
    )
    return parser


if __name__ == "__main__":
    run(fetch_volume, command_line())
