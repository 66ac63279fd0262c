"""Choose CT-ORG's patients and splits at random with a recorded seed; run by hand, not by a rule."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import segguided.missing_packages  # noqa: F401 - first, see there

from segguided.cli import run
from segguided.data.datasets.ct_org_choice import chosen_table
from segguided.data.splits import SPLITS
from segguided.files import write_text

ORGANS = ("liver", "bladder", "lungs", "kidneys", "bone")  # of the paper


def choose_ct_org(
    output: Path,
    table: Path | None = None,
    seed: int = 0,
    counts: Sequence[int] = (24, 8, 8),
    organs: Sequence[str] = ORGANS,
    least_voxels: int = 1000,
    always: Sequence[int] = (),
) -> None:
    """Write the patient table; its comments say how the patients were chosen.

    `table` is one of list_ct_org.py; without it, nothing is known of the organs that a case holds.
    """
    patients_in = dict(zip(SPLITS, counts, strict=True))
    write_text(output, chosen_table(table, seed, patients_in, organs, least_voxels, always))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="patient table to write, for `manifest:`")
    parser.add_argument("--table", type=Path, help="cases and their organs, by list_ct_org.py")
    parser.add_argument("--seed", type=int, default=0, help="seed of choice and splits")
    parser.add_argument(
        "--counts",
        type=int,
        nargs=3,
        default=(24, 8, 8),
        help="number of patients in train, held-out and test",
    )
    parser.add_argument("--organs", nargs="+", default=ORGANS, help="organs that each case must hold")
    parser.add_argument("--least-voxels", type=int, default=1000, help="least voxels of each organ")
    parser.add_argument("--always", type=int, nargs="*", default=(), help="cases that are always chosen")
    return parser


if __name__ == "__main__":
    run(choose_ct_org, command_line())
