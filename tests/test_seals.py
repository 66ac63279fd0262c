"""A file in place of another, or one that is not what was written, is refused in one sentence."""

import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from segguided.cli import slices_parser
from segguided.config.datasets import Preparation
from segguided.data.formats.npz import map_npz, write_npz
from segguided.data.preparations import preparation_digest
from segguided.data.slices import Stack, read_generated, read_slices, write_stack
from segguided.seals import place_of, read_listed, read_sealed, sidecar, write_listed, write_sealed

RECORD = {"dataset": "a", "model": "b", "seed": 0, "dice": 0.1 + 0.2, "none": None, "läsion": "肝臓"}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("results/slices/ct/p 1.npz", "slices/ct/p 1.npz"),
        ("/scratch/slices/x/y/slices/ct/p.npz", "slices/ct/p.npz"),
        ("a/runs/ct/mat/seed12/latent/config.json", "runs/ct/mat/seed12/latent/config.json"),
        ("generated/ct/mat/seed0/2-of-8/test.npz", "generated/ct/mat/seed0/2-of-8/test.npz"),
        ("metrics/ct/real/seed0.json", "metrics/ct/real/seed0.json"),
        ("x/metrics/metrics/runs/seed0.json", "metrics/metrics/runs/seed0.json"),
        ("applications/translation/a-to-b/m/seed0.npz", "applications/translation/a-to-b/m/seed0.npz"),
        ("results/demo/table1.csv", "table1.csv"),
        ("data/ct/train.txt", "data/ct/train.txt"),
        ("raw/ct/receipts/p.json", "raw/ct/receipts/p.json"),
        ("weights/model.safetensors", ""),
        ("runs/mine/model.safetensors", ""),
        ("slices.npz", ""),
    ],
)
def test_the_place_is_what_a_moved_results_folder_keeps(path: str, place: str) -> None:
    assert place_of(Path(path)) == place
    assert place_of(Path("/elsewhere") / path) == place


def test_equal_content_at_equal_places_is_equal_bytes(tmp_path: Path) -> None:
    for root in ("one", "two"):
        write_npz(tmp_path / root / "slices/ct/p.npz", {"weights": "w"}, images=np.arange(6))
        write_sealed(tmp_path / root / "metrics/ct/m/seed0.json", RECORD)
        write_listed(tmp_path / root / "data/ct/test.txt", "läsion\n")
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


@pytest.mark.parametrize(
    "name", ["slices/ct/p.npz", "metrics/ct/m/seed0.json", "data/ct/test.txt", "own.npz"]
)
def test_every_changed_bit_of_a_small_file_is_found(tmp_path: Path, name: str) -> None:
    """One bit of every byte, and of the checksum beside; what was written reads as it was."""
    path = tmp_path / name
    write = {".npz": lambda: write_npz(path, images=np.arange(5, dtype=np.uint8))}
    write |= {".json": lambda: write_sealed(path, RECORD), ".txt": lambda: write_listed(path, "a b\nc\n")}
    read = {".npz": map_npz, ".json": read_sealed, ".txt": read_listed}[path.suffix]
    write[path.suffix]()
    read(path)
    bits = random.Random(name)
    for file in filter(Path.is_file, (path, sidecar(path))):
        whole = file.read_bytes()
        for place in range(len(whole)):
            content = bytearray(whole)
            content[place] ^= 1 << bits.randrange(8)
            file.write_bytes(content)
            with pytest.raises(ValueError, match=re.escape(path.name) + r".*; delete it and run the same"):
                read(path)
        file.write_bytes(whole)


def test_values_come_back_and_users_tools_agree(tmp_path: Path) -> None:
    path = tmp_path / "metrics/ct/m/seed0.json"
    write_sealed(path, RECORD)
    assert read_sealed(path) == RECORD
    write_npz(tmp_path / "a.npz", images=np.arange(5))
    assert np.load(tmp_path / "a.npz")["images"].tolist() == [0, 1, 2, 3, 4]
    write_listed(tmp_path / "results/data/ct/test.txt", "a\n")
    check = ["sha256sum", "--strict", "-c", "data/ct/.test.txt.sha256"]
    assert subprocess.run(check, cwd=tmp_path / "results", capture_output=True).returncode == 0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "null", '{"seal": 3}', '{"seal": "x", "a": NaN}', "[" * 100_000, "\xff"]
)
def test_json_that_is_none_of_ours(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"config\.json (is damaged|holds no checksum).*; delete it and run"):
        read_sealed(path)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("slices/ct/a.npz", "slices/ct/b.npz"),
        ("slices/ct/a.npz", "slices/mri/a.npz"),
        ("metrics/ct/mat/seed0.json", "metrics/ct/std/seed0.json"),
        ("metrics/ct/mat/seed0.json", "metrics/ct/mat/seed1.json"),
        ("data/ct/test.txt", "data/ct/train.txt"),
        ("data/ct/test.txt", "data/mri/test.txt"),
    ],
)
def test_a_valid_file_at_the_place_of_another_is_refused_and_anywhere_else_read(
    tmp_path: Path, source: str, target: str
) -> None:
    original = tmp_path / source
    misplaced = tmp_path / target
    read = {".npz": map_npz, ".json": read_sealed, ".txt": read_listed}[original.suffix]
    if original.suffix == ".npz":
        write_npz(original, images=np.arange(5))
    elif original.suffix == ".json":
        write_sealed(original, RECORD)
    else:
        write_listed(original, "a\n")
    misplaced.parent.mkdir(exist_ok=True, parents=True)
    for file, copy in ((original, misplaced), (sidecar(original), sidecar(misplaced))):
        if file.is_file():
            shutil.copy(file, copy)
    with pytest.raises(
        ValueError, match=rf"{re.escape(str(misplaced))} .*{re.escape(source)}.*; delete it and run"
    ):
        read(misplaced)
    (tmp_path / "mine").mkdir()
    shutil.copy(original, tmp_path / "mine" / original.name)
    read(tmp_path / "mine" / original.name)
    shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-moved"))
    read(tmp_path.with_name(f"{tmp_path.name}-moved") / source)


def test_a_list_without_its_checksum_is_made_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "data/ct/test.txt"
    write_listed(path, "a\nb\n")
    parser = slices_parser(None)
    parser.add_argument("paths", nargs="+")
    assert parser.parse_args([f"@{path}"]).paths == ["a", "b"]
    path.write_text("a\n")
    with pytest.raises(ValueError, match="delete it and run"):
        parser.parse_args([f"@{path}"])
    sidecar(path).unlink()
    assert parser.parse_args([f"@{path}"]).paths == ["a"]


def stack(patient: str, preparation: str | None) -> Stack:
    pixels = np.zeros((2, 4, 4), np.uint8)
    return Stack(patient, pixels, pixels, np.arange(2.0), {"preparation": preparation} if preparation else {})


def test_slices_and_sets_of_another_preparation_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / f"{patient}.npz" for patient in "abc"]
    for path, preparation in zip(paths, ("one", "one", "two"), strict=True):
        write_stack(path, stack(path.stem, preparation))
    slices = read_slices(paths[:2])
    with pytest.raises(ValueError, match=r"b\.npz and .*c\.npz were prepared by different"):
        read_slices(paths)
    for preparation in ("one", "two"):
        images = np.zeros((4, 4, 4), np.uint8)
        write_npz(
            tmp_path / "set.npz", {"preparation": preparation}, images=images, names=np.array(slices.names)
        )
        if preparation == "one":
            read_generated(tmp_path / "set.npz", slices)
    with pytest.raises(ValueError, match=r"set\.npz comes from slices that were prepared by other settings"):
        read_generated(tmp_path / "set.npz", slices)


CLASSES = [{"name": "liver", "label": 3}, {"name": "bone", "label": 5}]
SETTINGS = {
    "source": {"kind": "nifti", "folder": "/data"},
    "classes": CLASSES,
    "intensity": {"kind": "window", "low": 0, "high": 9},
    "image_size": 32,
}


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"classes": [{**CLASSES[0], "name": "Leber", "color": "red"}, CLASSES[1]]}, True),
        ({"source": {"kind": "nifti", "folder": "/elsewhere"}}, True),
        ({"classes": CLASSES[::-1]}, False),
        ({"classes": [CLASSES[0], {"name": "bone", "label": 4}]}, False),
        ({"image_size": 64}, False),
        ({"source": {"kind": "nifti", "folder": "/data", "ignore": [7]}}, False),
        ({"intensity": {"kind": "window", "low": 0, "high": 8}}, False),
    ],
)
def test_the_digest_of_a_preparation_is_of_what_a_pixel_means(changed: dict[str, object], same: bool) -> None:
    before, after = (Preparation.model_validate({**SETTINGS, **more}) for more in ({}, changed))
    assert (preparation_digest(before) == preparation_digest(after)) is same
