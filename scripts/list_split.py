"""List the slice files of one split's patients, a path a line, for other scripts to read as @FILE."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.datasets import RandomSplit
from segguided.data.splits import assign_splits, patients_digest, read_manifest
from segguided.seals import write_listed


def list_split(
    manifest: Path, split: str, random_split: RandomSplit | None, digest: str, folder: str, output: Path
) -> None:
    """Write the slice files in `folder` of the split's patients, in the order of the patients.

    Raises ValueError unless `digest` is that of these patients.
    """
    patients = assign_splits(read_manifest(manifest), random_split)[split]
    if patients_digest(patients) != digest:
        raise ValueError(
            f"{output}: the patient table changed while the workflow ran; run the same command again"
        )
    write_listed(output, "".join(f"{folder}/{patient}.npz\n" for patient in patients))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="patient table")
    parser.add_argument("--split", required=True, help="train, held-out or test")
    parser.add_argument(
        "--random-split",
        type=RandomSplit.from_json,
        nargs="?",
        help="settings of the random split, JSON; without them the table's column `split` decides",
    )
    parser.add_argument(
        "--digest", required=True, help="digest of the split's patients when the workflow started"
    )
    parser.add_argument("--folder", required=True, help="folder of the slice files")
    parser.add_argument("--output", type=Path, required=True, help="list to write")
    return parser


if __name__ == "__main__":
    run(list_split, command_line())
