"""The patient table's column not_annotated, and what it decides: slices, counts, batches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from segguided.config.workflow import load
from segguided.data.annotation import (
    check_annotated,
    check_held_out,
    check_perceptual,
    check_translated,
    check_whole,
    not_annotated,
)
from segguided.data.slices import SliceSet, Stack, read_stack, write_stack
from segguided.data.split_rows import split_rows
from segguided.data.splits import read_manifest
from segguided.data.whole_patients import for_training, fully_annotated, left_out, without
from segguided.evaluation.dice import class_counts, dice_of_counts, per_patient_dice, pooled_dice
from segguided.generation.sets import generate_images
from segguided.models.segmenter_run import batches_in_order
from segguided.training.checkpoint import fingerprint
from segguided.training.loop import Batches
from support.miniature_config import SHIPPED

NAMES = ("breast", "vessels", "FGT")


def table(folder: Path, *cells: str) -> Path:
    path = folder / "patients.tsv"
    rows = "".join(f"p{k}\t{cell}\n" for k, cell in enumerate(cells))
    path.write_text(f"patient\tnot_annotated\n{rows}")
    return path


def stack_of(patient: str, lacking: tuple[int, ...] = (), n: int = 3) -> Stack:
    masks_SHW = np.zeros((n, 4, 4), np.uint8)
    masks_SHW[:, 0], masks_SHW[:, 1, :2], masks_SHW[:, 2, 0] = 1, 3, 2
    masks_SHW[np.isin(masks_SHW, lacking)] = 0
    return Stack(patient, masks_SHW * 50, masks_SHW, np.arange(float(n)), {}, not_annotated=lacking)


MIXED = SliceSet([stack_of("a"), stack_of("b", (2,)), stack_of("c", (2,)), stack_of("d", (1, 2))])


def test_names_become_mask_values_with_either_separator(tmp_path: Path) -> None:
    rows = read_manifest(table(tmp_path, "", "vessels", "FGT; breast", "breast,FGT", " vessels ;"))
    expected = {"p0": (), "p1": (2,), "p2": (1, 3), "p3": (1, 3), "p4": (2,)}
    assert not_annotated(rows, NAMES) == expected
    assert not_annotated([{"patient": "p"}], NAMES) == {"p": ()}


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("Vessels", "names Vessels, but the classes are breast, vessels, FGT; correct it"),
        ("vessels, vessels", r"names a class twice \(vessels, vessels\)"),
        ("FGT,vessels;breast", "names every class"),
    ],
)
def test_bad_cells_are_refused_with_file_and_line(tmp_path: Path, cell: str, told: str) -> None:
    rows = read_manifest(table(tmp_path, "", cell))
    with pytest.raises(
        ValueError, match=f"patients.tsv, line 3: the column not_annotated of patient p1 {told}"
    ):
        not_annotated(rows, NAMES)


SPLITS = {"train": ["a", "b"], "held-out": ["c", "d"], "test": ["e", "f"]}
ALL: dict[str, tuple[int, ...]] = dict.fromkeys("abcdef", ())


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ({"a": (2,), "b": (2, 3)}, "expected each class annotated for a train patient, but vessels is"),
        ({"c": (1,), "d": (1,)}, "expected each class annotated for a held-out patient, but breast is"),
        ({"e": (1,), "f": (2,)}, "expected a fully annotated patient in the measuring half of the test"),
    ],
)
def test_classes_that_nobody_shows_are_refused(missing: dict[str, tuple[int, ...]], told: str) -> None:
    with pytest.raises(ValueError, match=f"datasets.set: {told}"):
        check_annotated("set", SPLITS, ALL | missing, NAMES, 0)
    check_annotated("set", SPLITS, ALL | {"a": (2,), "b": (1, 3), "c": (1,), "d": (2,)}, NAMES, 0)


def test_models_without_free_classes_need_a_fully_annotated_patient() -> None:
    missing = ALL | {"a": (1,), "b": (2,)}
    with pytest.raises(ValueError, match=r"datasets\.set: spade, segguided cannot tell what is"):
        check_whole("set", SPLITS["train"], missing, ["spade", "segguided"])
    check_whole("set", SPLITS["train"], missing, [])
    check_whole("set", SPLITS["train"], missing | {"a": ()}, ["spade"])


def test_what_needs_whole_masks_is_refused_where_no_patient_has_them() -> None:
    missing = {"a": (1,), "b": (2,)}
    with pytest.raises(ValueError, match=r"datasets\.set: the perceptual network of spade-mat trains on"):
        check_perceptual("set", ["a", "b"], missing, ["spade-mat"])
    with pytest.raises(ValueError, match=r"expected fully annotated test patients of set, but .* for a, b;"):
        check_translated("set", ["a", "b"], missing)
    with pytest.raises(ValueError, match=r"datasets\.set: rare cases and counterfactuals need a fully annot"):
        check_held_out("set", ["a", "b"], missing)
    check_perceptual("set", ["a", "b"], missing, [])
    check_perceptual("set", ["a", "b"], missing | {"a": ()}, ["spade"])
    check_translated("set", ["c"], missing | {"c": ()})
    check_held_out("set", ["a", "c"], missing | {"c": ()})


def test_slice_files_hold_it_and_others_stay_as_they_are(tmp_path: Path) -> None:
    paths = {name: tmp_path / name / "p.npz" for name in ("whole", "partial")}
    write_stack(paths["whole"], stack_of("p"))
    write_stack(paths["partial"], stack_of("p", (2, 3)))
    assert read_stack(paths["whole"]).not_annotated == ()
    assert b"not_annotated" not in paths["whole"].read_bytes()
    assert read_stack(paths["partial"]).not_annotated == (2, 3)


def test_a_resume_file_is_not_continued_with_another_annotation() -> None:
    stack = stack_of("p", (2,))
    stacks = [replace(stack, not_annotated=lacking) for lacking in ((), (2,), (3,))]
    assert len({fingerprint({}, {"train": SliceSet([of_lacking])}) for of_lacking in stacks}) == 3


def test_counts_of_splits_are_empty_not_zero(tmp_path: Path) -> None:
    lacking = {"a": (), "b": (2,), "c": (), "d": (), "e": ()}
    for patient, values in lacking.items():
        write_stack(tmp_path / f"{patient}.npz", stack_of(patient, values))
    of_split = {"train": "ab", "held-out": "c", "test": "de"}
    files = {split: [tmp_path / f"{p}.npz" for p in patients] for split, patients in of_split.items()}
    rows = split_rows(files, 0, NAMES)
    assert [row["pixels_vessels"] for row in rows] == [3, "", 3, 3, 3]
    assert [row["pixels_breast"] for row in rows] == [12] * 5


def test_batches_say_which_classes_are_not_annotated() -> None:
    batches = Batches(MIXED, torch.device("cpu"))
    flags_BV = batches.not_annotated(np.array([0, 4, 11]))
    assert flags_BV is not None
    assert [np.flatnonzero(row).tolist() for row in flags_BV.numpy()] == [[], [2], [1, 2]]
    whole = Batches(SliceSet([stack_of("a")]), torch.device("cpu"))
    assert whole.not_annotated(np.array([0])) is None
    assert [len(batch) for batch in batches_in_order(whole)] == [2]
    ((_, masks_BHW, all_BV),) = batches_in_order(batches)
    assert (masks_BHW.numpy() == MIXED.masks).all()
    assert (all_BV.numpy() == MIXED.not_annotated).all()


@pytest.mark.parametrize("batch_size", [1, 4, 5, 12])
def test_generation_frees_what_is_not_annotated_whatever_the_batches(batch_size: int) -> None:
    seen: dict[str, tuple[int, ...]] = {}

    def sampler(masks_BHW, names, free=()):
        seen.update(dict.fromkeys(names, tuple(free)))
        return masks_BHW

    images_SHW = generate_images(sampler, MIXED, batch_size)
    assert (images_SHW == MIXED.masks).all()
    expected = {stack.patient: stack.not_annotated for stack in MIXED.stacks}
    assert seen == {name: expected[name[0]] for name in MIXED.names}


def test_whole_patients_and_a_description_of_the_others() -> None:
    whole = fully_annotated(MIXED, "this")
    assert [stack.patient for stack in whole.stacks] == ["a"]
    assert left_out(MIXED, whole) == {"left_out": ["b", "c", "d"]}
    assert without(MIXED, ["b", "c", "d"]).names == whole.names
    assert fully_annotated(whole, "this") is whole
    assert left_out(whole, whole) == {}
    with pytest.raises(ValueError, match="this needs patients that are annotated for every class, but all 1"):
        fully_annotated(SliceSet([stack_of("b", (2,))]), "this")


@pytest.mark.parametrize("name", ["spade", "controlnet"])
def test_mask_ablated_training_takes_all_patients_and_other_training_whole_ones(name: str) -> None:
    models = load(yaml.safe_load(SHIPPED.read_text())).models
    for model in (models[name], models[f"{name}-mat"]):
        stage = getattr(model, "control", model)
        assert stage.needs_full_annotation == model.needs_full_annotation
    whole_alone, ablated = models[name], models[f"{name}-mat"]
    assert for_training(MIXED, ablated) is MIXED
    assert [stack.patient for stack in for_training(MIXED, whole_alone).stacks] == ["a"]
    with pytest.raises(ValueError, match="training without mask_ablation needs patients that are annotated"):
        for_training(SliceSet([stack_of("b", (2,))]), whole_alone)


def test_dice_does_not_count_what_is_not_annotated() -> None:
    masks_SHW = MIXED.masks
    predicted_SHW = masks_SHW.copy()
    predicted_SHW[3:, 0, :2] = 2  # vessels found in the breast of b, c and d, who were not annotated for them
    predicted_SHW[3:, 3, :] = 2
    naive_SC4 = class_counts(predicted_SHW, masks_SHW, 3)
    counts_SC4 = class_counts(predicted_SHW, masks_SHW, 3, not_annotated_SV=MIXED.not_annotated)
    assert pooled_dice(counts_SC4).tolist() == [1, 1, 1]
    assert pooled_dice(naive_SC4)[1] < 0.5
    of_patient = per_patient_dice(counts_SC4, MIXED.patients)
    assert np.isnan(of_patient["b"][1]) and of_patient["b"][0] == 1 and of_patient["a"].tolist() == [1, 1, 1]
    assert np.isnan(of_patient["d"][:2]).all() and of_patient["d"][2] == 1
    assert np.isnan(dice_of_counts(counts_SC4)[3:, 1]).all()
    judged_SC4 = class_counts(predicted_SHW, predicted_SHW, 3, masks_SHW, MIXED.not_annotated)
    assert pooled_dice(judged_SC4).tolist() == [1, 1, 1]
