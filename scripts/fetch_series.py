"""Fetch one patient's DICOM series, hold its masks against their checksums, and write a receipt of both."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from segguided.cli import run
from segguided.data.datasets import idc
from segguided.data.datasets.duke_masks import settle_masks
from segguided.data.download.receipts import describe
from segguided.listing import list_folder
from segguided.seals import write_sealed


def fetch_series(
    row: Mapping[str, str],
    mask_folder: Path,
    masks: Sequence[str],
    receipt: Path,
    endpoint: str | None = None,
) -> None:
    """Bring the patient's files below the dataset's folder (two levels above), then write the receipt.

    Masks first, for they are at hand and the user's to get. Their checksums lie in a file that is no output
    of the rule: Snakemake deletes outputs before it runs a job again, and what was seen first must last.
    """
    folder, patient = receipt.parent.parent, row["patient"]
    images = folder / "images" / patient
    series = idc.Series.from_row(row)
    try:
        found = settle_masks(mask_folder, patient, masks, folder / "masks" / f"{patient}.sha256")
    except ValueError as lacking:  # told together with what else will be in the way
        obstacle = idc.find_defect(series, images) and idc.find_obstacle(series, images, endpoint)
        raise ValueError(f"{lacking}; besides, {obstacle}" if obstacle else str(lacking)) from lacking
    idc.fetch_series(series, images, folder / "quarantine" / patient, endpoint)
    write_sealed(receipt, {"images": describe(list_folder(images).files.values()), "masks": describe(found)})


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True, help="the patient's row of the table, JSON")
    parser.add_argument("--mask-folder", type=Path, required=True, help="folder the masks lie in or below")
    parser.add_argument("--masks", nargs="+", required=True, help="names of the patient's mask files")
    parser.add_argument("--receipt", type=Path, required=True, help="…/receipts/<patient>.json to write")
    parser.add_argument("--endpoint", nargs="?", help="an S3 server with the same buckets; without one AWS")
    return parser


if __name__ == "__main__":
    run(fetch_series, command_line())
