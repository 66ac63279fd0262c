"""Our choice of 40 CT-ORG cases: the paper uses 40, but does not publish their numbers."""

import random
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from segguided.data.splits import PatientRow
from segguided.text_tables import read_table

CASES = range(140)
INHERITED_HEADERS = range(28, 48)  # of LiTS: identity affine, 1 mm voxels
VERIFIED = {  # SHA-256 of volume and labels, of one verified copy
    0: (
        "dcd2faf240a668bcc5834b52cdac68436bd06cd138b8d7381238aef2bb4a53d7",
        "4102df9468ea355733e4916787cae92cec4ad128a248cf07bf23b886d1f6b6f5",
    ),
    2: (
        "ca702e58f0fb736ff4bc407aac0c4b698b8689f3f7e0281da32a546a87ae8a40",
        "c5951c1065f517c9e8e794aec0a921ae0ebaa2198d4b38f0ed492bc7aca74e8f",
    ),
}
ORIGIN = (
    "CT-ORG (Rister et al., Scientific Data 2020, doi 10.1038/s41597-020-00715-8; data doi "
    "10.7937/tcia.2019.tt7f4v7o, CC BY 3.0): 140 CTs, volume-N.nii.gz and labels-N.nii.gz, N in the "
    "column case. The numbers of the paper's 40 patients (24/8/8) are not published; these are ours. A "
    "sha256 that is empty is recorded when the file is first seen, below <results>/raw/<dataset>/sha256."
)
UNSEEN = (
    "without the images at hand: which of these cases hold which organs was NOT checked (of all 140, 114 "
    "show the bladder), nor was their orientation, which is checked when slices are made. Left out: cases "
    "28 to 47, whose headers, as inherited from LiTS, are reported to state no position. In cases 0 to "
    "20, CT-ORG's own test set, lungs and bone were drawn by hand, in the others by morphology. To choose "
    "among the cases that do hold the organs, once you have the files: python scripts/list_ct_org.py "
    "--folder FOLDER --output cases.tsv, then python scripts/choose_ct_org.py --table cases.tsv --output "
    "workflow/manifests/ct-org.tsv."
)
COLUMNS = ("patient", "case", "sha256_volume", "sha256_labels", "split")


def eligible_cases(table: Path, organs: Collection[str], least_voxels: int) -> list[int]:
    """Cases of a table by list_ct_org.py that hold each organ and whose anatomy is confirmed.

    Raises ValueError for a table without these columns, or with a cell that is no whole number.
    """
    rows = read_table(table).rows
    needed = ("case", "anatomy", *organs)
    absent = [name for name in needed if not rows or name not in rows[0]]
    if absent:
        raise ValueError(
            f"{table}: no column {', '.join(absent)}, or no rows; write it with scripts/list_ct_org.py"
        )
    try:
        return [
            int(row["case"])
            for row in rows
            if row["anatomy"] == "confirmed" and all(int(row[organ]) >= least_voxels for organ in organs)
        ]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{table}: expected whole numbers of voxels ({error}); write the table again"
        ) from error


def chosen_table(
    cases_table: Path | None,
    seed: int,
    counts: Mapping[str, int],
    organs: Sequence[str],
    least_voxels: int,
    always: Collection[int],
) -> str:
    """The text of a patient table: cases chosen at random with `seed`; its comments say how.

    The choice is among the cases that hold the organs by a table of list_ct_org.py; without that table, among
    the cases whose headers state a position.
    """
    if cases_table:
        cases = eligible_cases(cases_table, organs, least_voxels)
        holding = f"that hold {least_voxels} voxels or more of {', '.join(organs)}, each where a body has it"
        how = f"Chosen with seed {seed} among the {len(cases)} cases {holding}."
    else:
        cases = [case for case in CASES if case not in INHERITED_HEADERS]
        how = f"Chosen with seed {seed} among {len(cases)} cases, {UNSEEN}"
    if always:
        how += f" Always among the chosen, whatever the seed: {', '.join(map(str, always))}."
    rows = choose_patients(cases, seed, counts, always)
    return _table_text(rows, f"{ORIGIN} {how}")


def choose_patients(
    cases: Iterable[int], seed: int, counts: Mapping[str, int], always: Collection[int]
) -> list[PatientRow]:
    """Rows of a patient table: cases chosen at random with `seed`, with `counts` patients in each split.

    The cases of `always` are among them. Raises ValueError where there are too few cases, or a case of
    `always` is not one of them.
    """
    pool = sorted(set(cases))
    total = sum(counts.values())
    unknown = sorted(set(always) - set(pool))
    if unknown or len(pool) < total:
        raise ValueError(
            f"expected at least {total} eligible cases with {sorted(always)} among them, got {len(pool)}"
            f"{f' without {unknown}' if unknown else ''}; ask for fewer organs, fewer patients, or no fixed "
            "cases"
        )
    rng = random.Random(seed)
    others = [case for case in pool if case not in always]
    chosen = [*sorted(set(always)), *rng.sample(others, total - len(set(always)))]
    rng.shuffle(chosen)
    splits = [name for name, count in counts.items() for _ in range(count)]
    return sorted(map(_row, chosen, splits), key=lambda row: int(row["case"]))


def _row(case: int, split: str) -> PatientRow:
    volume, labels = VERIFIED.get(case, ("", ""))
    values = (f"ct-org-{case:03}", str(case), volume, labels, split)
    return dict(zip(COLUMNS, values, strict=True))


def _table_text(rows: Sequence[PatientRow], provenance: str) -> str:
    """The patient table; its first lines are comments with the provenance."""
    lines = [f"# {line}" for line in textwrap.wrap(provenance, 108)]
    lines.append("\t".join(COLUMNS))
    lines += ["\t".join(row[column] for column in COLUMNS) for row in rows]
    return "\n".join(lines) + "\n"
