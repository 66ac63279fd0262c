"""Patient tables and patient-wise splits. Plain Python: the workflow imports it before anything runs."""

import hashlib
import random
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from segguided import text_tables
from segguided.config.datasets import RandomSplit
from segguided.listing import composed

SPLITS = ("train", "held-out", "test")
UNDECIDED = "held-out-or-test"  # in a column of splits: the seed decides
PATIENT = re.compile(r"\w[\w.+=@-]*")  # a name that is safe as a file name and on command lines
MOST_BYTES = 180  # of a patient's name: file systems take 255; temporary names and datasets are added
# Where the only test patient is halved, BLOCK neighbouring slices stay together, and the GAP slices between
# two blocks are in neither half. In the demo's CT, slices of different halves are then at least 25 mm apart:
# there the correlation of slices is about one half; that of neighbours is 0.94 (workflow/docs/choices.md).
BLOCK = 4
GAP = 4

PatientRow = Mapping[str, str]


def read_manifest(path: Path) -> list[PatientRow]:
    """Rows of a tab-separated patient table; lines that start with # are comments.

    Names of patients are in Unicode's composed form (NFC), in whichever form the table has them. Raises
    ValueError for what text_tables refuses, for a patient in two rows, a name that is blank or no plain file
    name, and two names that are the same file on some disks.
    """
    rows = text_tables.read_table(path, needs={"patient"}, comments=True).rows
    if not rows:
        raise ValueError(
            f"{path}: expected at least one row below the header; add patients, or name another table"
        )
    seen: dict[str, text_tables.TableRow] = {}
    for row in rows:
        row["patient"] = composed(row["patient"])
        _check_row(row, seen)
        seen[row["patient"].lower()] = row
    return list(rows)


def read_comments(path: Path) -> list[str]:
    """The comments of a patient table, without their #: they say where its rows come from."""
    return text_tables.read_table(path, comments=True).comments


def sample_patients(splits: Mapping[str, Sequence[str]], most: int) -> dict[str, list[str]]:
    """At most `most` patients: of each split its share, but at least one, evenly spread over the split."""
    total = sum(map(len, splits.values()))
    if total <= most:
        return {name: list(patients) for name, patients in splits.items()}
    sample = {}
    for name, patients in splits.items():
        count = 1 + (len(patients) - 1) * (most - len(splits)) // total
        sample[name] = [patients[i * len(patients) // count] for i in range(count)]
    return sample


def check_patient_name(where: Path | str, patient: str) -> None:
    """Raise ValueError for a patient whose name is no file name; `where` is the file or folder it is from."""
    if not PATIENT.fullmatch(patient):
        raise ValueError(
            f"{where}: '{patient}' cannot name a patient, because it becomes a file name; use letters, "
            "digits and _ . + = @ -, a letter, digit or _ first"
        )
    size = len(patient.encode())
    if size > MOST_BYTES:
        raise ValueError(
            f"{where}: the patient name '{patient[:40]}…' has {size} bytes, but file names are made of it; "
            f"shorten it to {MOST_BYTES}"
        )


def _check_row(row: text_tables.TableRow, seen: Mapping[str, text_tables.TableRow]) -> None:
    patient = row["patient"]
    check_patient_name(row.place, patient)
    earlier = seen.get(patient.lower())
    if earlier is None:
        return
    if earlier["patient"] != patient:
        raise ValueError(
            f"{row.place}: '{patient}' and '{earlier['patient']}' differ only in capitals, and their files "
            "would be the same on disks that ignore case; rename one of the patients"
        )
    splits = sorted({earlier.get("split") or "", row.get("split") or ""} - {""})
    where = f" (in {' and '.join(splits)})" if splits else ""
    raise ValueError(
        f"{row.place}: patient {patient} appears twice{where}; a patient belongs to one split only: "
        "keep one row"
    )


def assign_splits(rows: Sequence[PatientRow], random_split: RandomSplit | None) -> dict[str, list[str]]:
    """Patients of each split, sorted.

    Without a random split the column `split` decides; with one its counts and seed, or its column and seed.
    Raises ValueError for an unknown split name, an empty split, counts that leave no patient to train, and
    counts beside a column `split` that names splits too, unless the settings say `column: null`.
    """
    if random_split is None:
        splits = _from_column(rows, "split", SPLITS)
    elif random_split.column is None:
        _check_counts_decide(rows, random_split)
        splits = _from_counts(rows, random_split)
    else:
        splits = _from_column(rows, random_split.column, (*SPLITS, UNDECIDED))
        _assign_undecided(splits, random_split.seed)
    for name in SPLITS:
        if not splits[name]:
            raise ValueError(
                f"{_table_of(rows)}split '{name}' has no patient; each of {', '.join(SPLITS)} needs at "
                "least one: move a patient there, or add one"
            )
    return {name: sorted(splits[name]) for name in SPLITS}


def _from_column(rows: Sequence[PatientRow], column: str, names: Sequence[str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {name: [] for name in names}
    for row in rows:
        name = row.get(column) or ""
        if name not in splits:
            raise ValueError(
                f"{_place_of(row)}patient {row['patient']} has split '{name}'; write one of "
                f"{', '.join(names)} in the patient table's column `{column}`, or set `split:` with counts "
                "in the config"
            )
        splits[name].append(row["patient"])
    return splits


def _check_counts_decide(rows: Sequence[PatientRow], random_split: RandomSplit) -> None:
    """Raise ValueError where counts and a column both decide splits, unless the settings say which counts."""
    if "column" in random_split.model_fields_set:
        return
    columns = [name for name in (rows[0] if rows else ()) if name.lower() == "split"]  # spreadsheets: Split
    for row in rows:
        for column in columns:
            if row[column]:
                raise ValueError(
                    f"{_place_of(row)}patient {row['patient']} has split '{row[column]}', but `split:` in "
                    "the config makes a random split by counts; write `column: null` there so that the "
                    "counts decide, or remove `split:` so that the column decides"
                )


def _place_of(row: PatientRow) -> str:
    """File and line of the row, where they are known, to begin a message."""
    return f"{row.place}: " if isinstance(row, text_tables.TableRow) else ""


def _table_of(rows: Sequence[PatientRow]) -> str:
    return f"{rows[0].file}: " if rows and isinstance(rows[0], text_tables.TableRow) else ""


def _assign_undecided(splits: dict[str, list[str]], seed: int) -> None:
    """Move the undecided patients: half of them, rounded down, to held-out, the rest to test."""
    patients = sorted(splits.pop(UNDECIDED))
    random.Random(seed).shuffle(patients)
    middle = len(patients) // 2
    splits["held-out"] += patients[:middle]
    splits["test"] += patients[middle:]


def _from_counts(rows: Sequence[PatientRow], counts: RandomSplit) -> dict[str, list[str]]:
    patients = sorted(row["patient"] for row in rows)
    held_out = counts.held_out or 0
    test = counts.test or 0
    if held_out + test >= len(patients):
        raise ValueError(
            f"{_table_of(rows)}{len(patients)} patients cannot give {held_out} held-out and {test} test "
            "patients and leave one to train; lower the counts in `split:`"
        )
    random.Random(counts.seed).shuffle(patients)
    return {
        "held-out": patients[:held_out],
        "test": patients[held_out : held_out + test],
        "train": patients[held_out + test :],
    }


def patients_digest(patients: Sequence[str]) -> str:
    """The SHA-256 of a list of patients; changes when a name or the order changes."""
    return hashlib.sha256("\n".join(patients).encode()).hexdigest()


def halve_test(patients: Sequence[str], seed: int) -> dict[str, str]:
    """Which half of the test set each patient is in: `validation` (model selection) or `test`.

    Where there is only one patient, its slices are halved (`by-slice`): see `half_of_slice`.
    """
    if len(patients) == 1:
        return {patients[0]: "by-slice"}
    shuffled = sorted(patients)
    random.Random(seed).shuffle(shuffled)
    middle = len(shuffled) // 2
    return {patient: "validation" if rank < middle else "test" for rank, patient in enumerate(shuffled)}


def half_of(halves: Mapping[str, str], patient: str, number: int) -> str:
    """The half that the slice `number` of a patient is in, by the halves of the patients."""
    half = halves[patient]
    return half_of_slice(number) if half == "by-slice" else half


def half_of_slice(number: int) -> str:
    """The half that a slice of the only test patient is in: `validation`, `test`, or `gap` for neither.

    Blocks of BLOCK neighbours alternate, with GAP slices between them.
    """
    place = number % (2 * (BLOCK + GAP))
    if place < BLOCK:
        return "validation"
    if BLOCK + GAP <= place < 2 * BLOCK + GAP:
        return "test"
    return "gap"


def in_half(
    names: Sequence[str], patients: Collection[str], halves: Mapping[str, str], half: str
) -> list[bool]:
    """Whether each slice (its mask id and patient) belongs to `half` (`validation` or `test`).

    Raises ValueError where the only patient has too few slices for two halves.
    """
    found = [
        half_of(halves, str(patient), _number(name)) for name, patient in zip(names, patients, strict=True)
    ]
    if "by-slice" in halves.values():
        check_halves("the only test patient has", found)
    return [name == half for name in found]


def check_halves(subject: str, halves_of_slices: Collection[str]) -> None:
    """Raise ValueError unless slices of the only test patient are in both halves.

    `subject` begins the sentence and names the patient.
    """
    if not {"validation", "test"} <= set(halves_of_slices):
        raise ValueError(
            f"{subject} {len(halves_of_slices)} slices, too few for two halves of blocks of {BLOCK} with "
            f"gaps of {GAP}; keep at least {BLOCK + GAP + 1} of its slices, or add a test patient"
        )


def _number(name: str) -> int:
    """The number at the end of a mask id; 0 without one."""
    number = name.rsplit("_", 1)[-1]
    return int(number) if number.isdecimal() else 0
