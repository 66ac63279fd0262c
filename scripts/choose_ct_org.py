"""Choose CT-ORG's patients and splits at random with a recorded seed; run by hand, not by a rule."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.data.datasets.ct_org_choice import (
    CASES,
    INHERITED_HEADERS,
    ORIGIN,
    UNSEEN,
    choose_patients,
    eligible_cases,
    table_text,
)
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

    The choice is among the cases that hold the organs by a `table` of list_ct_org.py; without a table, among
    the cases whose headers state a position.
    """
    if table:
        cases = eligible_cases(table, organs, least_voxels)
        holding = f"that hold {least_voxels} voxels or more of {', '.join(organs)}, each where a body has it"
        how = f"Chosen with seed {seed} among the {len(cases)} cases {holding}."
    else:
        cases = [case for case in CASES if case not in INHERITED_HEADERS]
        how = f"Chosen with seed {seed} among {len(cases)} cases, {UNSEEN}"
    if always:
        how += f" Always among the chosen, whatever the seed: {', '.join(map(str, always))}."
    patients_in = dict(zip(SPLITS, counts, strict=True))
    rows = choose_patients(cases, seed, patients_in, always)
    write_text(output, table_text(rows, f"{ORIGIN} {how}"))


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
