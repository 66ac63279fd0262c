"""Patient tables and patient-wise splits; plain Python, for the workflow reads them before anything runs."""

import csv
import hashlib
import random
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from segguided.config.data import DrawnSplit

SPLITS = ("train", "held-out", "test")
OPEN = "held-out-or-test"  # of a patient whose split a column leaves to the seed
PATIENT = re.compile(r"\w[\w.+=@-]*")  # becomes a file name, and a value on command lines
MOST_BYTES = 180  # of a patient's name: file systems take 255; temporary names and datasets are added
BLOCK = 8  # neighbouring slices that stay together where one patient alone must be halved

Row = Mapping[str, str]


def read_manifest(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated patient table; lines that start with # are comments.

    Raises ValueError for a file that cannot be read, without a column `patient`, without rows, with a ragged
    or repeated row, or with a patient whose name is blank or no plain file name.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets put a byte-order mark first
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"patient table {path} cannot be read ({error}); name an existing text file (UTF-8) in the config"
        ) from error
    lines = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
    rows = list(csv.DictReader(lines, delimiter="\t"))
    if not rows or "patient" not in rows[0]:
        raise ValueError(
            f"{path}: expected a tab-separated table with a column `patient` and at least one row"
        )
    seen: dict[str, str] = {}
    for row in rows:
        _check_row(path, row, seen)
        seen[row["patient"]] = row.get("split") or ""
    return rows


def read_comments(path: Path) -> list[str]:
    """The lines of a patient table that start with #, without it: where its rows come from."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [line[1:].strip() for line in lines if line.startswith("#")]


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


def check_name(where: Path, patient: str) -> None:
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


def _check_row(path: Path, row: Row, seen: Mapping[str, str]) -> None:
    patient = row["patient"]
    if None in row or None in row.values():
        raise ValueError(
            f"{path}: the row of patient '{patient}' has more or fewer cells than the header; mend it"
        )
    check_name(path, patient)
    if patient in seen:
        splits = sorted({seen[patient], row.get("split") or ""} - {""})
        where = f" (in {' and '.join(splits)})" if splits else ""
        raise ValueError(
            f"{path}: patient {patient} stands twice{where}; a patient belongs to one split only"
        )


def assign_splits(rows: Sequence[Row], drawn: DrawnSplit | None) -> dict[str, list[str]]:
    """Patients of each split, sorted: from a column (`split` where nothing is drawn), by a seed, or both.

    Raises ValueError for an unknown split name, an empty split, or counts that leave no patient to train.
    """
    if drawn is None:
        splits = _listed(rows, "split", SPLITS)
    elif drawn.column is None:
        splits = _drawn(rows, drawn)
    else:
        splits = _listed(rows, drawn.column, (*SPLITS, OPEN))
        _halve(splits, drawn.seed)
    for name in SPLITS:
        if not splits[name]:
            raise ValueError(
                f"split '{name}' has no patient; every one of {', '.join(SPLITS)} needs at least one"
            )
    return {name: sorted(splits[name]) for name in SPLITS}


def _listed(rows: Sequence[Row], column: str, names: Sequence[str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {name: [] for name in names}
    for row in rows:
        name = row.get(column) or ""
        if name not in splits:
            raise ValueError(
                f"patient {row['patient']} has split '{name}'; write one of {', '.join(names)} in the "
                f"patient table's column `{column}`, or set `split:` with counts in the dataset's config"
            )
        splits[name].append(row["patient"])
    return splits


def _halve(splits: dict[str, list[str]], seed: int) -> None:
    """Move the patients whose split is open: half, or one fewer, are held out, the others test."""
    patients = sorted(splits.pop(OPEN))
    random.Random(seed).shuffle(patients)
    splits["held-out"] += patients[: len(patients) // 2]
    splits["test"] += patients[len(patients) // 2 :]


def _drawn(rows: Sequence[Row], counts: DrawnSplit) -> dict[str, list[str]]:
    patients = sorted(row["patient"] for row in rows)
    held_out, test = counts.held_out or 0, counts.test or 0
    if held_out + test >= len(patients):
        raise ValueError(
            f"{len(patients)} patients cannot give {held_out} held-out and {test} test "
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
