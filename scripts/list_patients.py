"""Write the patient table of a PNG layout ({train,val,test}/*.png); run by hand, not by a rule."""

import argparse
import logging
from collections import Counter
from pathlib import Path

import segguided.missing_packages  # noqa: F401 - first, see there

from segguided.cli import run
from segguided.data.formats.png import FOLDERS, check_pairs, list_slices
from segguided.data.splits import check_patient_name
from segguided.files import write_text

LOG = logging.getLogger("segguided")


def list_patients(images: Path, masks: Path, output: Path) -> None:
    """Write each patient and its split, tab-separated; patients of the folder val are held out.

    Raises ValueError for images without mask, masks without image, patients in two folders, and names that
    cannot be file names.
    """
    files = list_slices(images)
    check_pairs(files, list_slices(masks), masks)
    split_of = {file.patient: FOLDERS[file.folder] for file in files}
    for patient in split_of:
        check_patient_name(images, patient)
    rows = "".join(f"{patient}\t{split}\n" for patient, split in split_of.items())
    write_text(output, f"patient\tsplit\n{rows}")
    for split, count in Counter(split_of.values()).items():
        LOG.info("%s: %d patients", split, count)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--images", type=Path, required=True, help="folder of images, with train, val and test in it"
    )
    parser.add_argument("--masks", type=Path, required=True, help="folder of masks, such as MASKS/all")
    parser.add_argument("--output", type=Path, required=True, help="patient table to write, for `manifest:`")
    return parser


if __name__ == "__main__":
    run(list_patients, command_line())
