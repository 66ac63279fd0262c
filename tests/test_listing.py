"""Folders that are listed: nothing is left out without a word."""

import logging
import os
import shutil
import unicodedata
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from list_ct_org import find_labels
from list_patients import list_patients
from prepare_patient import prepare_patient
from segguided.config.datasets import Preparation
from segguided.data.datasets.duke_masks import mask_folder
from segguided.data.datasets.idc import Series, find_defect
from segguided.data.formats.png import list_slices, read_patient
from segguided.data.slices import read_stack
from segguided.data.splits import read_manifest
from segguided.listing import find, list_folder, walk

JUNK = ("._a.png", ".DS_Store", "Thumbs.db", "desktop.ini", ".a.png.swp", "ehthumbs.db")
NFC, NFD = "Müller", unicodedata.normalize("NFD", "Müller")


def entries(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def slices(root: Path, *names: str) -> list[Path]:
    """Folders of images and of masks that hold these, as train/NAME or another split's."""
    roots = [root / "images", root / "masks"]
    for folder in roots:
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((16, 16), 1, np.uint8)).save(path, format="PNG")
    return roots


# The helper


def test_files_of_an_ending_in_capitals_or_not(tmp_path: Path) -> None:
    found = list_folder(entries(tmp_path, "a.png", "b.PNG", "c.Png", "notes.txt", *JUNK), [".png"])
    assert sorted(found.files) == ["a.png", "b.PNG", "c.Png"]
    assert sorted(name for names in found.passed.values() for name in names) == sorted([*JUNK, "notes.txt"])
    notes = found.notes()
    assert len(notes) == 3
    assert f"{tmp_path}: passed over 1 entry (of another kind), the first is notes.txt" in notes


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", ["Müller.png", "Åse.png", "été.png"])
def test_names_are_compared_in_one_unicode_form(tmp_path: Path, form: str, name: str) -> None:
    stored = unicodedata.normalize(form, name)
    found = list_folder(entries(tmp_path, stored), [".png"])
    assert found.files == {unicodedata.normalize("NFC", name): tmp_path / stored}
    for asked in ("NFC", "NFD"):
        assert find(tmp_path / unicodedata.normalize(asked, name)) == tmp_path / stored
        assert find(tmp_path / unicodedata.normalize(asked, "ö") / name).name == name  # what is absent stays


def test_twins_in_two_unicode_forms_are_refused(tmp_path: Path) -> None:
    entries(tmp_path, f"{NFC}.png", f"{NFD}.png")
    with pytest.raises(ValueError, match=r"holds Müller\.png twice, under names that differ only"):
        list_folder(tmp_path)
    with pytest.raises(ValueError, match="is there twice, under names that differ"):
        find(tmp_path / f"{NFC}.png")


def test_what_is_no_plain_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"gone\.png: a link that leads to no file"):
        list_folder(tmp_path, [".png"])
    (tmp_path / "gone.png").unlink()
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match=r"pipe\.png: expected a plain file, got a pipe or device"):
        list_folder(tmp_path, [".png"])
    (tmp_path / "pipe.png").unlink()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller.png")).write_bytes(b"")
    with pytest.raises(ValueError, match=r"the name 'M\\udcfcller\.png' is no text in UTF-8; rename"):
        list_folder(tmp_path, [".png"])


def test_a_walk_enters_each_folder_once_and_no_hidden_one(tmp_path: Path) -> None:
    for folder in ("a", "a/b", "__MACOSX", ".cache", "@eaDir"):
        entries(tmp_path / folder, "x.nii.gz")
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "linked").symlink_to(tmp_path / "a")
    roots = [found.root.name for found in walk(tmp_path, [".nii.gz"]) if found.files]
    assert sorted(roots) in (["a", "b"], ["b", "linked"])


# PNG slices


def settings() -> Preparation:
    source = {"kind": "png", "images": "unused", "masks": "unused"}
    values: dict[str, Any] = {"source": source, "classes": [{"name": "body"}], "image_size": 16}
    return Preparation.model_validate({**values, "intensity": {"kind": "as-is"}})


def prepared(patient: str, roots: list[Path]) -> Any:
    output = roots[0].parent / "out.npz"
    prepare_patient({"patient": patient}, settings(), roots, output)
    return read_stack(output)


def test_capitals_in_an_ending_leave_no_slice_out(tmp_path: Path) -> None:
    roots = slices(tmp_path, "train/p_slice_1.png", "train/p_slice_2.PNG", "train/p_slice_3.Png")
    (roots[1] / "train/p_slice_1.png").rename(roots[1] / "train/p_slice_1.PNG")
    assert prepared("p", roots).names == ["p_slice_1", "p_slice_2", "p_slice_3"]
    list_patients(*roots, tmp_path / "table.tsv")
    assert [row["patient"] for row in read_manifest(tmp_path / "table.tsv")] == ["p"]


@pytest.mark.parametrize(
    ("images", "masks", "asked"), [("NFC", "NFD", NFC), ("NFD", "NFC", NFC), ("NFD", "NFD", NFC)]
)
def test_unicode_forms_of_images_masks_and_table_may_differ(
    tmp_path: Path, images: str, masks: str, asked: str
) -> None:
    roots = slices(tmp_path, "train/x.png")
    for root, form in zip(roots, (images, masks), strict=True):
        (root / "train/x.png").rename(root / "train" / unicodedata.normalize(form, "Müller_slice_4.png"))
    list_patients(*roots, tmp_path / "table.tsv")
    assert read_manifest(tmp_path / "table.tsv") == [{"patient": asked, "split": "train"}]
    assert prepared(asked, roots).names == ["Müller_slice_4"]


def test_what_is_passed_over_is_told_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    roots = slices(tmp_path, "train/p_slice_1.png", "train/q_slice_1.png")
    whole = prepared("p", roots)
    entries(roots[0] / "train", ".DS_Store", "Thumbs.db", "notes.txt", "._q_slice_1.png")
    with caplog.at_level(logging.INFO):
        assert prepared("p", roots).provenance == whole.provenance  # another's files change no slice file
    assert (
        "train: passed over 2 entries (hidden, such as macOS's resource forks ._*), the first is"
        in caplog.text
    )
    assert "passed over 1 entry (of another kind), the first is notes.txt" in caplog.text
    entries(roots[0] / "train", "._p_slice_1.png")
    assert prepared("p", roots).provenance["image"]["passed_over"] == 1
    assert "passed_over" not in prepared("p", roots).provenance["mask"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("train/p_slice_3.jpg", r"p_slice_3\.jpg: expected files whose names end in \.png; save it as 8-bit"),
        ("train/p_slice_3.TIFF", r"p_slice_3\.TIFF: expected files whose names end in \.png"),
        ("train/p_slice_3.png.part", r"p_slice_3\.png\.part: expected files whose names end in \.png"),
        ("train/more/p_slice_3.png", "train/more: a folder among the slices; move its PNG files up"),
        ("train/p_slice_01.png", r"p_slice_1\.png: has the number of p_slice_01\.png"),
        ("train/p_slice_1.PNG", r"is beside p_slice_1\.(png|PNG), and both are p_slice_1"),
        ("train/p_slice_2 copy.png", r"p_slice_2 copy\.png: begins like a slice of patient p, but is"),
        ("train/p_Slice_2.png", r"p_Slice_2\.png: begins like a slice of patient p, but is"),
        ("Test/p_slice_3.png", "Test: expected the folders train, val, test; rename it test"),
        ("p_slice_3.PNG", "p_slice_3.PNG: a slice in none of the folders train, val, test; move it into one"),
        ("validation/q_slice_3.png", "validation: expected the folders train, val, test; rename it val"),
    ],
)
def test_what_may_be_a_slice_is_refused_by_name(tmp_path: Path, name: str, reason: str) -> None:
    roots = slices(tmp_path, "train/p_slice_1.png", name)
    with pytest.raises(ValueError, match=reason):
        read_patient("p", *roots)


@pytest.mark.parametrize("name", ["train/p_slice_2.png", "train/q_slice_1.png", "val/r.png"])
def test_a_mask_without_image_is_refused_by_name(tmp_path: Path, name: str) -> None:
    roots = slices(tmp_path, "train/p_slice_1.png", name)
    (roots[0] / name).unlink()
    with pytest.raises(
        ValueError, match=f"1 masks in .* have no image of the same name, the first is .*{name}"
    ):
        list_patients(*roots, tmp_path / "table.tsv")
    of_p = pytest.raises(ValueError, match=r"1 masks in .* have no image of")
    with of_p if "p_" in name else nullcontext():
        read_patient("p", *roots)
    shutil.move(roots[1] / name, roots[0] / name)
    with pytest.raises(ValueError, match=f"1 images have no mask of the same name in .* is .*{name}"):
        list_patients(*roots, tmp_path / "table.tsv")


def test_folders_of_other_things_beside_the_splits(tmp_path: Path) -> None:
    roots = slices(tmp_path, "train/p_slice_1.png", "masks/train/x.png", "overview.png")
    assert [patient_slice.name for patient_slice in list_slices(roots[0])] == ["p_slice_1"]


# The other folders


def test_organ_labels_in_capitals_and_twice(tmp_path: Path) -> None:
    entries(tmp_path / "a", "labels-3.nii.gz", "LABELS-4.NII.GZ", "._labels-5.nii.gz", "volume-3.nii.gz")
    entries(tmp_path / "__MACOSX", "labels-6.nii.gz")
    assert sorted(find_labels(tmp_path)) == [3, 4]
    assert find_labels(tmp_path / "absent") == {}
    entries(tmp_path / "b", "labels-03.nii.gz")
    with pytest.raises(ValueError, match=r"case 3 is there twice, also as .*; keep one"):
        find_labels(tmp_path)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_masks_of_a_patient_in_either_unicode_form(tmp_path: Path, form: str) -> None:
    stored = tmp_path / "Segmentation_Masks_NRRD" / unicodedata.normalize(form, NFC)
    stored.mkdir(parents=True)
    (tmp_path / "__MACOSX" / "Segmentation_Masks_NRRD" / NFC).mkdir(parents=True)
    assert mask_folder(tmp_path, NFC) == stored


def test_hidden_files_beside_a_fetched_series_are_no_defect(tmp_path: Path) -> None:
    entries(tmp_path, ".DS_Store", "._1.dcm")
    series = Series("s3://bucket/folder/*", "1.2", 0, 0)
    assert "expected one DICOM series" in find_defect(series, tmp_path)
    entries(tmp_path, "1.dcm")
    assert find_defect(series, tmp_path) == "expected 0 files, got 1"
