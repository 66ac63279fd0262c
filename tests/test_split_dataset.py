"""The table of a dataset's splits."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segguided.data.slices import Stack, write_stack
from split_dataset import split_dataset

SCRIPT = Path(__file__).parents[1] / "scripts" / "split_dataset.py"
SPLITS = {"train": ["p1", "p10"], "held-out": ["p2"], "test": ["p4", "p3"]}
HALVES = {"p4": "validation", "p3": "test"}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = []
    for k, patient in enumerate(("p10", "p2", "p3", "p4", "p1")):
        masks = np.zeros((k + 1, 4, 4), np.uint8)
        masks[:, 0, :3], masks[0, 1, 1] = 1, 2
        provenance = {"classes": ["body", "bone"]}
        paths.append(tmp_path / "slices" / f"{patient}.npz")
        write_stack(paths[-1], Stack(patient, masks, masks, np.arange(k + 1.0), provenance))
    return paths


def test_rows_in_the_order_of_splits_and_patients(files: list[Path]) -> None:
    rows = split_dataset(files, SPLITS, HALVES)
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


def call(files: list[Path], output: Path, splits: Any) -> "subprocess.CompletedProcess[str]":
    argument = json.dumps({"splits": splits, "halves": HALVES})
    command = [sys.executable, str(SCRIPT), "--splits", argument, "--output", str(output), "--slices"]
    return subprocess.run(
        [*command, *map(str, files)], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_line(files: list[Path], tmp_path: Path) -> None:
    done = call(files, tmp_path / "data" / "splits.csv", SPLITS)
    assert (done.returncode, done.stderr) == (0, "")
    with (tmp_path / "data" / "splits.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["patient"] for row in rows] == ["p1", "p10", "p2", "p3", "p4"]
    assert list(rows[0]) == ["patient", "split", "half", "slices", "pixels_body", "pixels_bone"]


def test_a_file_too_few_or_damaged(files: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "splits.csv"
    done = call(files[1:], output, SPLITS)
    assert (done.returncode, done.stderr) == (
        1,
        "error: expected one slice file for each patient of the splits; check p10\n",
    )
    files[0].write_bytes(files[0].read_bytes()[:-9])
    done = call(files, output, SPLITS)
    assert done.returncode == 1
    assert f"error: {files[0]} is damaged (" in done.stderr
    assert not output.exists()


def test_masks_with_more_classes_than_names(files: list[Path]) -> None:
    masks = np.full((1, 4, 4), 3, np.uint8)
    write_stack(files[0], Stack("p10", masks, masks, np.zeros(1), {"classes": ["body", "bone"]}))
    with pytest.raises(ValueError, match="patient p10: masks hold class 3 of 2; prepare it again"):
        split_dataset(files, SPLITS, HALVES)
