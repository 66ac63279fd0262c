"""Slices leave in the layout of the paper authors' code and come back with equal pixels, names and splits."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export_layout import export_layout
from list_patients import list_patients
from prepare_patient import prepare_patient
from segguided.config.datasets import Preparation
from segguided.data.formats.npz import write_npz
from segguided.data.formats.png import read_grey
from segguided.data.slices import Stack, read_slices, write_stack
from segguided.data.splits import assign_splits, read_manifest
from segguided.files import sha256_of

SCRIPT = Path(__file__).parents[2] / "scripts" / "export_layout.py"
SPLITS = {"train": ["p1", "p.2"], "held-out": ["p3"], "test": ["p4"]}


@pytest.fixture
def slices(tmp_path: Path) -> dict[str, list[Path]]:
    """Slice files of each split; p3 brings its own mask ids."""
    files: dict[str, list[Path]] = {}
    for split, patients in SPLITS.items():
        for patient in patients:
            rng = np.random.default_rng(list(patient.encode()))
            images, masks = (rng.integers(0, n, (3, 16, 16), np.uint8) for n in (256, 3))
            ids = tuple(f"p3_slice_{n}" for n in (7, 9, 40)) if patient == "p3" else None
            stack = Stack(patient, images, masks, np.arange(3.0), {"classes": ["a", "b"]}, ids)
            files.setdefault(split, []).append(tmp_path / "slices" / f"{patient}.npz")
            write_stack(files[split][-1], stack)
    return files


def receipt_rows(receipt: Path) -> list[dict[str, str]]:
    with receipt.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_export_then_read_gives_equal_pixels_names_and_splits(
    slices: dict[str, list[Path]], tmp_path: Path
) -> None:
    root = tmp_path / "export"
    export_layout(slices, {}, root / "layout.tsv")
    list_patients(root / "images", root / "masks/all", root / "manifest.tsv")
    assert assign_splits(read_manifest(root / "manifest.tsv"), None) == {
        split: sorted(patients) for split, patients in SPLITS.items()
    }
    settings = Preparation.model_validate(
        {
            "source": {"kind": "png", "images": "unused", "masks": "unused"},
            "classes": [{"name": "a"}, {"name": "b"}],
            "intensity": {"kind": "as-is"},
            "image_size": 16,
        }
    )
    for split, patients in SPLITS.items():
        back = []
        for patient in patients:
            back.append(tmp_path / "back" / f"{patient}.npz")
            prepare_patient({"patient": patient}, settings, [root / "images", root / "masks/all"], back[-1])
        before, after = read_slices(slices[split]), read_slices(back)
        assert after.names == before.names
        np.testing.assert_array_equal(after.images, before.images)
        np.testing.assert_array_equal(after.masks, before.masks)


def test_the_receipt_names_every_file_and_comes_last(slices: dict[str, list[Path]], tmp_path: Path) -> None:
    receipt = tmp_path / "export" / "layout.tsv"
    export_layout(slices, {}, receipt)
    rows = receipt_rows(receipt)
    assert [row["split"] for row in rows] == ["train"] * 6 + ["held-out"] * 3 + ["test"] * 3
    assert [row["name"] for row in rows[6:9]] == ["p3_slice_7", "p3_slice_9", "p3_slice_40"]
    for row in rows:
        folder = {"held-out": "val"}.get(row["split"], row["split"])
        for kind, column in (("images", "image_sha256"), ("masks/all", "mask_sha256")):
            assert sha256_of(receipt.parent / kind / folder / f"{row['name']}.png") == row[column]
    assert len(list(receipt.parent.rglob("*.png"))) == 2 * len(rows)
    content = receipt.read_bytes()
    (receipt.parent / "images/train/stale_slice_0.png").touch()
    export_layout(slices, {}, receipt)
    assert receipt.read_bytes() == content
    assert len(list(receipt.parent.rglob("*.png"))) == 2 * len(rows)


def generate(slices: dict[str, list[Path]], split: str, folder: Path, **changes: Any) -> Path:
    real = read_slices(slices[split])
    write_npz(
        folder / f"{split}.npz", **{"images": 255 - real.images, "names": np.array(real.names), **changes}
    )
    return folder / f"{split}.npz"


def test_generated_images_take_the_place_of_the_real_ones(
    slices: dict[str, list[Path]], tmp_path: Path
) -> None:
    receipt = tmp_path / "export" / "layout.tsv"
    generated = {split: generate(slices, split, tmp_path) for split in ("held-out", "test")}
    export_layout({**slices, "train": []}, generated, receipt)
    assert {row["split"] for row in receipt_rows(receipt)} == {"held-out", "test"}
    assert not (receipt.parent / "images/train").exists()
    held_out = read_slices(slices["held-out"])
    for name, image_HW, mask_HW in zip(held_out.names, held_out.images, held_out.masks, strict=True):
        np.testing.assert_array_equal(read_grey(receipt.parent / f"images/val/{name}.png"), 255 - image_HW)
        np.testing.assert_array_equal(read_grey(receipt.parent / f"masks/all/val/{name}.png"), mask_HW)


def call(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_script_says_what_does_not_fit(slices: dict[str, list[Path]], tmp_path: Path) -> None:
    receipt = tmp_path / "export" / "layout.tsv"
    test = ["--receipt", receipt, "--slices", "test", *slices["test"]]
    other = generate(slices, "held-out", tmp_path)
    mine = tmp_path / "mine"
    (mine / "images").mkdir(parents=True)
    for arguments, message in (
        ([*test, "--generated", "test", other], "do not belong to these 3 masks"),
        ([*test, "--generated", "held-out", other], "no --slices held-out are given"),
        (
            [*test, "--slices", "val", *slices["train"]],
            "val is no split of the layout; expected train, held-out",
        ),
        ([*test, "--receipt", mine / "layout.tsv"], "images was not written by an export"),
    ):
        done = call(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert message in done.stderr
        assert not receipt.exists()
    assert (mine / "images").is_dir()
    assert call(*test, "--slices", "train").returncode == 0
    assert len(receipt_rows(receipt)) == 3
