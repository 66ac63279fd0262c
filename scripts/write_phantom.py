"""Write one digital breast phantom as DICOM series and .seg.nrrd masks, and a receipt of its files."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.sources.phantom import PhantomSource
from segguided.data.datasets.duke_layout import write_duke_layout
from segguided.data.datasets.phantom import make_phantom
from segguided.data.download.receipts import FILES, describe_files
from segguided.seals import write_sealed


def write_phantom(patient: str, settings: PhantomSource, receipt: Path) -> None:
    """Write the patient's files to the dataset's folder, two levels above the receipt; then the receipt."""
    folder = receipt.parent.parent
    contrasts = {number: channel.contrast for number, channel in enumerate(settings.channels, 1)}
    files: set[Path] = set()
    for channel, contrast in (contrasts or {0: settings.contrast}).items():
        phantom = make_phantom(patient, settings.seed, settings.size, settings.slices, contrast, channel)
        files.update(write_duke_layout(phantom, patient, folder, channel))
    write_sealed(receipt, {FILES: describe_files(files, folder)})


def command_line() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patient", required=True, help="the patient's name in the patient table")
    parser.add_argument(
        "--settings", required=True, type=PhantomSource.from_json, help="the source's settings, JSON"
    )
    parser.add_argument(
        "--receipt", required=True, type=Path, help="<results>/raw/<dataset>/receipts/<patient>.json"
    )
    return parser


if __name__ == "__main__":
    run(write_phantom, command_line())
