"""List the patients of a PNG layout ({train,val,test}/*.png) as a patient table; run by hand, no rule."""

import argparse
import logging
from collections import Counter
from pathlib import Path

from segguided.cli import run
from segguided.data.formats.png import FOLDERS, check_pairs, list_slices
from segguided.data.splits import check_patient_name
from segguided.files import write_text

LOG = logging.getLogger("segguided")


def list_patients(images: Path, masks: Path, output: Path) -> None:
    """Write each patient and its split, tab-separated: train trains, val is held out, test tests.

    Raises ValueError for images without mask or masks without image, patients in two folders, and names that
    cannot be file names.
    """
    files = list_slices(images)
    check_pairs(files, list_slices(masks), masks)
    split_of = {one.patient: FOLDERS[one.folder] for one in files}
    for patient in split_of:
        check_patient_name(images, patient)
    rows = "".join(f"{patient}\t{split}\n" for patient, split in split_of.items())
    write_text(output, f"patient\tsplit\n{rows}")
    for split, count in Counter(split_of.values()).items():
        LOG.info("%s: %d patients", split, count)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder that holds train, val and test")
    parser.add_argument("--masks", type=Path, required=True, help="the same of the masks, such as MASKS/all")
    parser.add_argument("--output", type=Path, required=True, help="patient table to write, for `manifest:`")
    return parser


if __name__ == "__main__":
    run(list_patients, command_line())
