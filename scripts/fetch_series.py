"""Fetch one patient's DICOM series, check its masks by their SHA-256, and write a receipt of both."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from segguided.cli import run
from segguided.data.datasets import idc
from segguided.data.datasets.duke_masks import checked_masks
from segguided.data.download.receipts import describe_files
from segguided.listing import list_folder
from segguided.seals import write_sealed


def fetch_series(
    row: Mapping[str, str],
    mask_folder: Path,
    masks: Sequence[str],
    receipt: Path,
    endpoint: str | None = None,
) -> None:
    """Download the series below the dataset's folder (two levels above the receipt), then write the receipt.

    Masks are checked first: the user gets them by hand, and must hear of a missing one before a download.
    Their checksums are in a file that is no output of the rule: Snakemake deletes outputs before it runs a
    job again, but the checksums of the first run must stay.
    """
    folder = receipt.parent.parent
    patient = row["patient"]
    images = folder / "images" / patient
    series = idc.Series.from_row(row)
    try:
        mask_files = checked_masks(mask_folder, patient, masks, folder / "masks" / f"{patient}.sha256")
    except ValueError as error:
        # If the server cannot be reached either, the message says so too: the user can fix both at once.
        obstacle = idc.find_defect(series, images) and idc.find_obstacle(series, images, endpoint)
        raise ValueError(f"{error}; besides, {obstacle}" if obstacle else str(error)) from error
    idc.fetch_series(series, images, folder / "quarantine" / patient, endpoint)
    image_files = list_folder(images).files.values()
    write_sealed(receipt, {"images": describe_files(image_files), "masks": describe_files(mask_files)})


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True, help="the patient's row of the table, JSON")
    parser.add_argument(
        "--mask-folder", type=Path, required=True, help="folder that holds the masks, at some depth"
    )
    parser.add_argument("--masks", nargs="+", required=True, help="names of the patient's mask files")
    parser.add_argument("--receipt", type=Path, required=True, help="…/receipts/<patient>.json to write")
    parser.add_argument("--endpoint", nargs="?", help="S3 server with the same buckets; default: AWS")
    return parser


if __name__ == "__main__":
    run(fetch_series, command_line())
