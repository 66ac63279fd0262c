"""The PNG layout of the paper authors' code: names, splits and pixels as they are, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from list_patients import list_patients
from prepare_patient import prepare_patient
from segguided.config.datasets import Preparation
from segguided.data.formats.npz import write_npz
from segguided.data.formats.png import list_slices, read_grey, read_patient, slice_file, write_grey
from segguided.data.slices import Stack, read_slices, read_stack, write_stack
from segguided.data.splits import assign_splits, in_half, read_manifest

SCRIPTS = Path(__file__).parents[3] / "scripts"
LAYOUT = {
    "train": ["Breast_MRI_002_slice_10", "Breast_MRI_002_slice_9", "Breast_MRI_002_slice_110", "alone"],
    "val": ["v_slice_0"],
    "test": ["Breast_MRI_0021_slice_3"],
}


def settings(**changes: Any) -> Preparation:
    values = {
        "source": {"kind": "png", "images": "unused", "masks": "unused"},
        "classes": [{"name": "breast"}, {"name": "vessels"}, {"name": "FGT"}],
        "intensity": {"kind": "as-is"},
        "image_size": 16,
    }
    return Preparation.model_validate({**values, **changes})


def pixels(name: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(list(name.encode()))
    return rng.integers(0, 256, (16, 16), np.uint8), rng.integers(0, 4, (16, 16), np.uint8)


@pytest.fixture
def layout(tmp_path: Path) -> list[Path]:
    """Folders of images and of masks."""
    roots = [tmp_path / "DATA", tmp_path / "MASKS" / "all"]
    for folder, names in LAYOUT.items():
        for name in names:
            for root, pixels_HW in zip(roots, pixels(name), strict=True):
                write_grey(root / folder / f"{name}.png", pixels_HW)
    (roots[0] / "train" / "notes.txt").touch()
    return roots


def prepared(patient: str, layout: list[Path], **changes: Any) -> Stack:
    output = layout[0].parent / f"{patient}.npz"
    prepare_patient({"patient": patient}, settings(**changes), layout, output)
    return read_stack(output)


@pytest.mark.parametrize(
    ("name", "patient", "number"),
    [
        ("Breast_MRI_002_slice_0", "Breast_MRI_002", 0),
        ("a_slice_1_slice_007", "a_slice_1", 7),
        ("tr_1", "tr_1", 0),
        ("a_slice_x", "a_slice_x", 0),
        ("_slice_3", "_slice_3", 0),
    ],
)
def test_a_patient_is_the_name_before_the_slice_number(name: str, patient: str, number: int) -> None:
    file = slice_file("train", name)
    assert (file.patient, file.number, file.name) == (patient, number, name)


def test_slices_keep_names_pixels_and_order_by_number(layout: list[Path]) -> None:
    stack = prepared("Breast_MRI_002", layout)
    assert stack.names == [f"Breast_MRI_002_slice_{n}" for n in (9, 10, 110)]
    assert stack.positions_S.tolist() == [9, 10, 110]
    for row, name in enumerate(stack.names):
        image_HW, mask_HW = pixels(name)
        np.testing.assert_array_equal(stack.images_SHW[row], image_HW)
        np.testing.assert_array_equal(stack.masks_SHW[row], mask_HW)
    assert stack.provenance["image"] == {"format": "png", "folder": "DATA/train"}
    assert prepared("alone", layout).names == ["alone"]


def test_names_survive_selection_subsets_and_sets(layout: list[Path]) -> None:
    assert prepared("Breast_MRI_002", layout, slices={"every": 2}).names == [
        "Breast_MRI_002_slice_9",
        "Breast_MRI_002_slice_110",
    ]
    whole = prepared("Breast_MRI_002", layout)
    slices = read_slices([layout[0].parent / "Breast_MRI_002.npz"])
    assert slices.where([False, True, True]).names == whole.names[1:]
    assert slices.where([False, True, True]).where([False, True]).names == whole.names[2:]
    assert slices.with_images(whole.masks_SHW, whole.names).names == whole.names
    written = layout[0].parent / "again.npz"
    write_stack(written, whole)
    assert written.read_bytes() == (layout[0].parent / "Breast_MRI_002.npz").read_bytes()
    write_npz(written, **{**np.load(written), "names": np.array(["one"])})
    with pytest.raises(ValueError, match="3 slices have 1 names; prepare it again"):
        read_stack(written)


def test_a_name_without_a_number_has_no_half_of_its_own() -> None:
    halves = {"alone": "test", "tr_x": "validation"}
    assert in_half(["alone", "tr_x"], ["alone", "tr_x"], halves, "test") == [True, False]


def test_images_are_resized_and_masks_keep_their_classes(layout: list[Path]) -> None:
    stack = prepared("Breast_MRI_002", layout, image_size=32)
    assert stack.images_SHW.shape == stack.masks_SHW.shape == (3, 32, 32)
    np.testing.assert_array_equal(stack.masks_SHW[0, ::2, ::2], pixels("Breast_MRI_002_slice_9")[1])


def test_values_become_the_places_of_their_classes(layout: list[Path]) -> None:
    write_grey(layout[1] / "train" / "alone.png", np.full((16, 16), 255, np.uint8))
    stack = prepared(
        "alone", layout, classes=[{"name": "body", "label": 1}, {"name": "lesion", "label": 255}]
    )
    assert np.unique(stack.masks_SHW).tolist() == [2]
    assert not prepared("alone", layout, source={**source(), "ignore": [255]}).masks_SHW.any()


def source() -> dict[str, Any]:
    return {"kind": "png", "images": "unused", "masks": "unused"}


def test_colour_files_of_equal_channels_are_grey(layout: list[Path]) -> None:
    path = layout[0] / "train" / "alone.png"
    grey_HW = read_grey(path)
    Image.fromarray(np.stack([grey_HW] * 3, -1)).save(path)
    np.testing.assert_array_equal(read_grey(path), grey_HW)
    colour_HWC = np.stack([grey_HW, grey_HW, 255 - grey_HW], -1)
    Image.fromarray(colour_HWC).save(path)
    with pytest.raises(ValueError, match=r"alone\.png: expected 8-bit greyscale, got 8-bit RGB with unequal"):
        read_grey(path)


@pytest.mark.parametrize("mode", ["P", "1", "I;16", "LA", "RGBA"])
def test_other_modes_are_refused(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    Image.new(mode, (4, 4)).save(path)
    with pytest.raises(ValueError, match=r"a\.png: expected 8-bit greyscale, got \d+-bit .*; save it as"):
        read_grey(path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_grey(path, np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"<html>", whole[:60] + b"\0\0" + whole[62:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.png: expected a whole PNG file, got a damaged or another"):
            read_grey(path)
    Image.new("L", (4, 4)).save(path, format="JPEG")
    with pytest.raises(ValueError, match="expected a whole PNG file"):
        read_grey(path)


def test_missing_masks_unequal_sizes_and_unknown_patients_are_named(layout: list[Path]) -> None:
    with pytest.raises(
        ValueError, match="expected PNG files of patient Breast_MRI_00 in its folders train, val"
    ):
        read_patient("Breast_MRI_00", *layout)
    write_grey(layout[0] / "train" / "Breast_MRI_002_slice_10.png", np.zeros((8, 16), np.uint8))
    with pytest.raises(
        ValueError, match=r"slice_10\.png has \(8, 16\) pixels .*, but Breast_MRI_002_slice_9"
    ):
        read_patient("Breast_MRI_002", *layout)
    write_grey(layout[0] / "train" / "alone.png", np.zeros((8, 16), np.uint8))
    with pytest.raises(ValueError, match="must be on the same grid"):
        prepared("alone", layout)
    (layout[1] / "train" / "alone.png").unlink()
    with pytest.raises(ValueError, match=r"all: expected PNG files of patient alone in its folders"):
        read_patient("alone", *layout)


def test_a_class_outside_the_table_is_refused(layout: list[Path]) -> None:
    with pytest.raises(ValueError, match=r"all: labels \[3\] are outside .*, whose labels are 1, 2;"):
        prepared("Breast_MRI_002", layout, classes=[{"name": "body"}, {"name": "bone"}])


# The patient table


def test_folders_become_splits(layout: list[Path], tmp_path: Path) -> None:
    list_patients(*layout, tmp_path / "table.tsv")
    rows = read_manifest(tmp_path / "table.tsv")
    assert assign_splits(rows, None) == {
        "train": ["Breast_MRI_002", "alone"],
        "held-out": ["v"],
        "test": ["Breast_MRI_0021"],
    }


def call(script: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def refusal(layout: list[Path]) -> str:
    table = layout[0].parent / "table.tsv"
    done = call("list_patients", "--images", layout[0], "--masks", layout[1], "--output", table)
    assert (done.returncode, done.stderr.count("error: "), table.exists()) == (1, 1, False), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_patient_in_two_folders_is_refused_by_name(layout: list[Path]) -> None:
    write_grey(layout[0] / "test" / "alone.png", np.zeros((16, 16), np.uint8))
    assert "patient alone has slices in test and in train (alone.png)" in refusal(layout)
    with pytest.raises(ValueError, match="patient alone has slices in test and in train"):
        read_patient("alone", *layout)
    assert [file.name for file in list_slices(layout[0], "v")] == ["v_slice_0"]


def test_mistakes_in_the_layout_are_named(layout: list[Path], tmp_path: Path) -> None:
    (layout[1] / "val" / "v_slice_0.png").unlink()
    assert "1 images have no mask of the same name in" in refusal(layout)
    write_grey(layout[1] / "val" / "v_slice_0.png", np.zeros((16, 16), np.uint8))
    for root in layout:
        write_grey(root / "val" / "a b.png", np.zeros((16, 16), np.uint8))
    assert "'a b' cannot name a patient" in refusal(layout)
    assert "found none; correct the folder" in refusal([tmp_path / "empty", layout[1]])


def test_the_script_prepares_a_patient(layout: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "slices" / "alone.npz"
    arguments = ["--row", json.dumps({"patient": "alone"}), "--preparation", settings().to_json()]
    done = call("prepare_patient", *arguments, "--raw", *layout, "--output", output)
    assert done.returncode == 0, done.stderr
    assert read_stack(output).names == ["alone"]
