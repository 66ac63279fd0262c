"""Mask ids of foreign slice files never lead out of an export, and never share a file name."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from export_layout import export_layout
from segguided.data.file_names import check_names
from segguided.data.slices import Stack, read_slices, write_stack
from segguided.generation.pairs import write_pairs

PIXELS = np.zeros((2, 16, 16), np.uint8)
OUTSIDE = ("../outside", "/tmp/outside", "a/b", "..", "a\\..\\..\\outside", "C:outside", "a\0b", "")
NO_NAMES = ("a\nb", "a\x1b[1m", "x" * 300, "肝" * 100, "a ", "a.", "a\u202eb", "a?", ".")
SAME_FILE = (("Slice_1", "slice_1"), ("Läsion", "La\u0308sion"), ("a", "a"), ("STRASSE", "straße"))


def slice_file(folder: Path, names: tuple[str, str]) -> Path:
    path = folder / "in" / "p1.npz"
    write_stack(path, Stack("p1", PIXELS, PIXELS, np.arange(2.0), {"classes": []}, names))
    return path


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".export")


@pytest.mark.parametrize(
    "names",
    [*((name, "b") for name in (*OUTSIDE, *NO_NAMES)), *SAME_FILE],
    ids=lambda names: ascii(names)[:30],
)
def test_unsafe_names_are_refused_before_anything_is_written(names: tuple[str, str], tmp_path: Path) -> None:
    path = slice_file(tmp_path, names)
    before = files(tmp_path)
    slices = read_slices([path])
    if slices.names != list(names):  # numpy drops a NUL at an end
        pytest.skip("this name cannot be written")
    with pytest.raises(ValueError, match="the mask id") as caught:
        export_layout({"train": [path]}, {}, tmp_path / "deep" / "export" / "layout.tsv")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500
    with pytest.raises(ValueError, match="the mask id"):
        write_pairs(tmp_path / "deep" / "pairs.zip", slices, PIXELS, PIXELS, ["a"], ["a"])
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["p1_slice_7", "Läsion 3", "肝臓-1", "p.1+2@x=y", "x" * 200, ".hidden", "-r"]
)
def test_plain_names_are_kept(name: str, tmp_path: Path) -> None:
    path = slice_file(tmp_path, (name, "b"))
    export_layout({"train": [path]}, {}, tmp_path / "export" / "layout.tsv")
    written = {path.name for path in (tmp_path / "export" / "images" / "train").iterdir()}
    assert written == {f"{name}.png", "b.png"}
    write_pairs(tmp_path / "pairs.zip", read_slices([path]), PIXELS, PIXELS, ["a"], ["a"])
    with zipfile.ZipFile(tmp_path / "pairs.zip") as archive:
        assert f"real_data/{name}.png" in archive.namelist()


def test_names_of_several_patients_may_be_one_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.zip: the mask ids 'A_1' and 'a_1' are one file's name"):
        check_names(["A_1", "b", "a_1"], "x.zip")
