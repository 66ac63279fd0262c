"""Patient tables and patient-wise splits; plain Python, for the workflow reads them before anything runs."""

import hashlib
import random
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from segguided import text_tables
from segguided.config.datasets import RandomSplit

SPLITS = ("train", "held-out", "test")
OPEN = "held-out-or-test"  # of a patient whose split a column leaves to the seed
PATIENT = re.compile(r"\w[\w.+=@-]*")  # becomes a file name, and a value on command lines
MOST_BYTES = 180  # of a patient's name: file systems take 255; temporary names and datasets are added
BLOCK = 8  # neighbouring slices that stay together where one patient alone must be halved

Row = Mapping[str, str]


def read_manifest(path: Path) -> list[Row]:
    """Rows of a tab-separated patient table; lines that start with # are comments.

    Names of patients come in Unicode's composed form (NFC), whichever the table has. Raises ValueError for
    what text_tables refuses, a repeated row, a patient whose name is blank or no plain file name, and two
    whose files some disks take for one.
    """
    rows = text_tables.read_table(path, needs={"patient"}, comments=True).rows
    if not rows:
        raise ValueError(
            f"{path}: expected at least one row below the header; add patients, or name another table"
        )
    seen: dict[str, text_tables.Row] = {}
    for row in rows:
        row["patient"] = unicodedata.normalize("NFC", row["patient"])
        _check_row(row, seen)
        seen[row["patient"].lower()] = row
    return list(rows)


def read_comments(path: Path) -> list[str]:
    """The lines of a patient table that start with #, without it: where its rows come from."""
    return text_tables.read_table(path, comments=True).comments


def sample_patients(splits: Mapping[str, Sequence[str]], most: int) -> dict[str, list[str]]:
    """At most `most` patients, of each split its share but at least one, evenly spread over its order."""
    total = sum(map(len, splits.values()))
    if total <= most:
        return {name: list(patients) for name, patients in splits.items()}
    sample = {}
    for name, patients in splits.items():
        count = 1 + (len(patients) - 1) * (most - len(splits)) // total
        sample[name] = [patients[i * len(patients) // count] for i in range(count)]
    return sample


def check_name(where: Path | str, patient: str) -> None:
    """Raise ValueError, naming the file or folder it comes from, for a patient that cannot name a file."""
    if not PATIENT.fullmatch(patient):
        raise ValueError(
            f"{where}: '{patient}' cannot name a patient, for it becomes a file name; use letters, digits "
            "and _ . + = @ -, a letter, digit or _ first"
        )
    size = len(patient.encode())
    if size > MOST_BYTES:
        raise ValueError(
            f"{where}: the patient name '{patient[:40]}…' has {size} bytes, but file names are made of it; "
            f"shorten it to {MOST_BYTES}"
        )


def _check_row(row: text_tables.Row, seen: Mapping[str, text_tables.Row]) -> None:
    patient = row["patient"]
    check_name(row.place, patient)
    other = seen.get(patient.lower())
    if other is None:
        return
    if other["patient"] != patient:
        raise ValueError(
            f"{row.place}: '{patient}' and '{other['patient']}' differ in capitals alone, and their files "
            "would be one on disks that ignore case; rename one of the patients"
        )
    splits = sorted({other.get("split") or "", row.get("split") or ""} - {""})
    where = f" (in {' and '.join(splits)})" if splits else ""
    raise ValueError(
        f"{row.place}: patient {patient} stands twice{where}; a patient belongs to one split only: "
        "keep one row"
    )


def assign_splits(rows: Sequence[Row], drawn: RandomSplit | None) -> dict[str, list[str]]:
    """Patients of each split, sorted: from a column (`split` where nothing is drawn), by a seed, or both.

    Raises ValueError for an unknown split name, an empty split, counts that leave no patient to train, and
    counts beside a column `split` that tells splits too, unless the settings say `column: null`.
    """
    if drawn is None:
        splits = _listed(rows, "split", SPLITS)
    elif drawn.column is None:
        _check_undecided(rows, drawn)
        splits = _drawn(rows, drawn)
    else:
        splits = _listed(rows, drawn.column, (*SPLITS, OPEN))
        _halve(splits, drawn.seed)
    for name in SPLITS:
        if not splits[name]:
            raise ValueError(
                f"{_table(rows)}split '{name}' has no patient; every one of {', '.join(SPLITS)} needs at "
                "least one: move a patient there, or add one"
            )
    return {name: sorted(splits[name]) for name in SPLITS}


def _listed(rows: Sequence[Row], column: str, names: Sequence[str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {name: [] for name in names}
    for row in rows:
        name = row.get(column) or ""
        if name not in splits:
            raise ValueError(
                f"{_place(row)}patient {row['patient']} has split '{name}'; write one of {', '.join(names)} "
                f"in the patient table's column `{column}`, or set `split:` with counts in the config"
            )
        splits[name].append(row["patient"])
    return splits


def _check_undecided(rows: Sequence[Row], drawn: RandomSplit) -> None:
    """Raise ValueError where counts and a column both tell splits, unless the settings say which holds."""
    if "column" in drawn.model_fields_set:
        return
    names = [name for name in (rows[0] if rows else ()) if name.lower() == "split"]  # spreadsheets: Split
    for row, told in ((row, row[name]) for row in rows for name in names if row[name]):
        raise ValueError(
            f"{_place(row)}patient {row['patient']} has split '{told}', but `split:` "
            "in the config draws splits by counts; write `column: null` there so that the counts hold, or "
            "remove `split:` so that the column does"
        )


def _place(row: Row) -> str:
    return f"{row.place}: " if isinstance(row, text_tables.Row) else ""


def _table(rows: Sequence[Row]) -> str:
    return f"{rows[0].file}: " if rows and isinstance(rows[0], text_tables.Row) else ""


def _halve(splits: dict[str, list[str]], seed: int) -> None:
    """Move the patients whose split is open: half, or one fewer, are held out, the others test."""
    patients = sorted(splits.pop(OPEN))
    random.Random(seed).shuffle(patients)
    splits["held-out"] += patients[: len(patients) // 2]
    splits["test"] += patients[len(patients) // 2 :]


def _drawn(rows: Sequence[Row], counts: RandomSplit) -> dict[str, list[str]]:
    patients = sorted(row["patient"] for row in rows)
    held_out, test = counts.held_out or 0, counts.test or 0
    if held_out + test >= len(patients):
        raise ValueError(
            f"{_table(rows)}{len(patients)} patients cannot give {held_out} held-out and {test} test "
            "patients and leave one to train; lower the counts in `split:`"
        )
    random.Random(counts.seed).shuffle(patients)
    return {
        "held-out": patients[:held_out],
        "test": patients[held_out : held_out + test],
        "train": patients[held_out + test :],
    }


def digest_of(patients: Sequence[str]) -> str:
    """The SHA-256 of a list of patients: which, and in which order."""
    return hashlib.sha256("\n".join(patients).encode()).hexdigest()


def halve_test(patients: Sequence[str], seed: int) -> dict[str, str]:
    """Which half of the test set each patient is in: `validation` (model selection) or `test`.

    One patient alone is halved by slices (`by-slice`): alternate blocks of 8 neighbouring slices.
    """
    if len(patients) == 1:
        return {patients[0]: "by-slice"}
    shuffled = sorted(patients)
    random.Random(seed).shuffle(shuffled)
    middle = len(shuffled) // 2
    return {p: ("validation" if rank < middle else "test") for rank, p in enumerate(shuffled)}


def in_half(
    names: Sequence[str], patients: Collection[str], halves: Mapping[str, str], half: str
) -> list[bool]:
    """Whether each slice (its mask id and patient) belongs to `half` (`validation` or `test`).

    Raises ValueError where a patient halved by slices has too few of them for two halves.
    """
    of_names = list(zip(names, patients, strict=True))
    alone = [_block(name) for name, patient in of_names if halves[str(patient)] == "by-slice"]
    if alone and len({block % 2 for block in alone}) == 1:
        raise ValueError(
            f"the only test patient has {len(alone)} slices, too few for two halves of blocks of {BLOCK}; "
            f"keep at least {BLOCK + 1} of its slices or add a test patient"
        )

    def belongs(name: str, patient: str) -> bool:
        if halves[patient] != "by-slice":
            return halves[patient] == half
        return (_block(name) % 2 == 0) == (half == "validation")

    return [belongs(name, str(patient)) for name, patient in of_names]


def _block(name: str) -> int:
    """The block of neighbouring slices that a mask id's number puts it in; one without a number is alone."""
    number = name.rsplit("_", 1)[-1]
    return int(number) // BLOCK if number.isdecimal() else 0
