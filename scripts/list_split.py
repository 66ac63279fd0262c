"""List the slice files of one split's patients, a path a line, for other scripts to read as @FILE."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import framed
from segguided.config.datasets import DrawnSplit
from segguided.data.splits import assign_splits, digest_of, read_manifest
from segguided.seals import write_listed


def list_split(patients: Sequence[str], digest: str, folder: str, output: Path) -> None:
    """Write the patients' slice files in `folder`, in their order.

    Raises ValueError unless the patients are those that `digest` tells of.
    """
    if digest_of(patients) != digest:
        raise ValueError(
            f"{output}: the patient table changed while the workflow ran; run the same command again"
        )
    write_listed(output, "".join(f"{folder}/{patient}.npz\n" for patient in patients))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="patient table")
    parser.add_argument("--split", required=True, help="train, held-out or test")
    parser.add_argument(
        "--drawn", type=DrawnSplit.from_json, nargs="?", help="how splits are drawn, JSON; none: a column"
    )
    parser.add_argument("--digest", required=True, help="of the split's patients, as the workflow saw them")
    parser.add_argument("--folder", required=True, help="where the slice files lie")
    parser.add_argument("--output", type=Path, required=True, help="list to write")
    return parser.parse_args()


def main() -> None:
    """Run with the command line's arguments."""
    a = parse_arguments()
    patients = assign_splits(read_manifest(a.manifest), a.drawn)[a.split]
    list_split(patients, a.digest, a.folder, a.output)


if __name__ == "__main__":
    framed(main)
