"""The rows of splits.csv, and the script that writes them."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segguided.data.slices import Stack, write_stack
from segguided.data.split_rows import split_rows
from segguided.files import write_text

SCRIPT = Path(__file__).parents[2] / "scripts" / "split_dataset.py"
SPLITS = {"train": ["p10", "p1"], "held-out": ["p2"], "test": ["p4", "p3"]}
Files = dict[str, list[Path]]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    for k, patient in enumerate(("p10", "p2", "p3", "p4", "p1")):
        masks = np.zeros((k + 1, 4, 4), np.uint8)
        masks[:, 0, :3], masks[0, 1, 1] = 1, 2
        stack = Stack(patient, masks, masks, np.arange(k + 1.0), {})
        write_stack(tmp_path / "slices" / f"{patient}.npz", stack)
    return {split: [tmp_path / "slices" / f"{p}.npz" for p in patients] for split, patients in SPLITS.items()}


def test_rows_in_the_order_of_splits_and_patients(files: Files) -> None:
    rows = split_rows(files, halves_seed=1, classes=["body", "bone"])
    assert [(row["patient"], row["split"], row["half"], row["slices"]) for row in rows] == [
        ("p1", "train", "", 5),
        ("p10", "train", "", 1),
        ("p2", "held-out", "", 2),
        ("p3", "test", "test", 3),
        ("p4", "test", "validation", 4),
    ]
    assert [(row["pixels_body"], row["pixels_bone"]) for row in rows] == [
        (15, 1),
        (3, 1),
        (6, 1),
        (9, 1),
        (12, 1),
    ]


@pytest.mark.parametrize(("empty", "named"), [(["p3", "p4"], "p3, p4"), (["p3"], "p3"), (["p1", "p3"], "p3")])
def test_test_patients_without_any_class_are_named(files: Files, empty: list[str], named: str) -> None:
    """p3 alone is the half that measures."""
    masks = np.zeros((2, 4, 4), np.uint8)
    for patient in empty:
        stack = Stack(patient, masks, masks, np.arange(2.0), {})
        write_stack(files["test"][0].with_name(f"{patient}.npz"), stack)
    with pytest.raises(ValueError, match=rf"\(body, bone\), but those of {named} are all background"):
        split_rows(files, halves_seed=1, classes=["body", "bone"])


def test_patients_without_any_class_may_train_or_select(files: Files) -> None:
    masks = np.zeros((2, 4, 4), np.uint8)
    for patient in ("p1", "p2", "p4"):
        stack = Stack(patient, masks, masks, np.arange(2.0), {})
        write_stack(files["test"][0].with_name(f"{patient}.npz"), stack)
    assert len(split_rows(files, halves_seed=1, classes=["body", "bone"])) == 5


def call(files: Files, output: Path) -> "subprocess.CompletedProcess[str]":
    """The script, given lists of slice files."""
    command = [sys.executable, str(SCRIPT), "--halves-seed", "1", "--output", str(output)]
    command += ["--classes", "body", "bone"]
    for split, paths in files.items():
        listed = output.with_name(f"{split}.txt")
        write_text(listed, "".join(f"{path}\n" for path in paths))
        command += [f"--{split}", f"@{listed}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_line(files: Files, tmp_path: Path) -> None:
    done = call(files, tmp_path / "data" / "splits.csv")
    assert (done.returncode, done.stderr) == (0, "")
    with (tmp_path / "data" / "splits.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["patient"] for row in rows] == ["p1", "p10", "p2", "p3", "p4"]
    assert list(rows[0]) == ["patient", "split", "half", "slices", "pixels_body", "pixels_bone"]


def test_a_patient_in_two_splits_and_a_damaged_file(files: Files, tmp_path: Path) -> None:
    output = tmp_path / "splits.csv"
    done = call({**files, "test": [*files["test"], files["train"][0]]}, output)
    assert (done.returncode, done.stderr) == (
        1,
        "error: expected each patient in one split, once; p10 appears there twice: name each slice file "
        "once\n",
    )
    damaged = files["train"][0]
    damaged.write_bytes(damaged.read_bytes()[:-9])
    done = call(files, output)
    assert done.returncode == 1
    assert f"error: {damaged} is damaged" in done.stderr
    assert not output.exists()


def test_masks_with_more_classes_than_names(files: Files) -> None:
    masks = np.full((1, 4, 4), 3, np.uint8)
    write_stack(files["train"][0], Stack("p10", masks, masks, np.zeros(1), {}))
    with pytest.raises(ValueError, match="patient p10: masks hold class 3 of 2; prepare it again"):
        split_rows(files, halves_seed=1, classes=["body", "bone"])
