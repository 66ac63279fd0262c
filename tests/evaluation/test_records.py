"""The record of a dataset, model and seed: its keys, its values, and that it is plain JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from segguided.evaluation.dice import class_counts, per_patient_dice, pooled_dice
from segguided.evaluation.records import (
    faithfulness_record,
    mean_entries,
    quality_record,
    read_training_cost,
)
from segguided.seals import write_sealed
from support.noisy_masks import noisy_pair

CLASSES = ("breast", "BV", "FGT")
PATIENTS = np.array(["p1", "p1", "p2", "p2", "p.3", "p.3"])


def test_keys_of_a_model() -> None:
    generated_SHW, target_SHW = noisy_pair(0)
    real_SHW, _ = noisy_pair(1)
    record = faithfulness_record(target_SHW, generated_SHW, real_SHW, PATIENTS, CLASSES)
    plain = ("dice", "slice_mean", "patients_mean")
    with_ratio = (*plain, "ratio")
    expected = {"faithfulness.slices", "faithfulness.patients"}
    for comparison, statistics in {"mask": with_ratio, "real": with_ratio, "ceiling": plain}.items():
        prefix = f"faithfulness.{comparison}"
        expected |= {f"{prefix}.{s}.{name}" for s in statistics for name in (*CLASSES, "macro")}
        for name in (*CLASSES, "macro"):
            expected |= {
                f"{prefix}.patients_mean.{name}.patient.{patient}" for patient in ("p1", "p2", "p.3")
            }
    assert set(record) == expected
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_values_are_the_metrics() -> None:
    generated_SHW, target_SHW = noisy_pair(0)
    real_SHW, _ = noisy_pair(1)
    record = faithfulness_record(target_SHW, generated_SHW, real_SHW, PATIENTS, CLASSES)
    mask_SC3 = class_counts(generated_SHW, target_SHW, 3)
    real_SC3 = class_counts(generated_SHW, real_SHW, 3)
    ceiling_SC3 = class_counts(real_SHW, target_SHW, 3)
    assert record["faithfulness.mask.dice.breast"] == pooled_dice(mask_SC3)[0]
    assert record["faithfulness.real.dice.BV"] == pooled_dice(real_SC3)[1]
    assert record["faithfulness.ceiling.dice.macro"] == np.nanmean(pooled_dice(ceiling_SC3))
    expected = np.nanmean(pooled_dice(mask_SC3)) / np.nanmean(pooled_dice(ceiling_SC3))
    assert record["faithfulness.mask.ratio.macro"] == pytest.approx(expected)
    assert record["faithfulness.mask.dice.FGT"] is None  # absent from both masks


def test_real_data_has_the_ceiling_alone() -> None:
    real_SHW, target_SHW = noisy_pair(1)
    for record in (
        faithfulness_record(target_SHW, None, real_SHW, PATIENTS, CLASSES),
        quality_record(target_SHW, None, real_SHW, PATIENTS, CLASSES),
    ):
        comparisons = {key.split(".")[1] for key in record if key.count(".") > 1}
        assert comparisons == {"ceiling"}


def test_quality_of_the_ceiling_itself_is_a_ratio_of_one() -> None:
    real_SHW, target_SHW = noisy_pair(1)
    record = quality_record(target_SHW, real_SHW, real_SHW, PATIENTS, CLASSES)
    assert [record[f"quality.model.ratio.{name}"] for name in ("macro", "BV")] == [1, 1]


def test_the_mean_over_patients_stands_beside_what_it_is_a_mean_of() -> None:
    generated_SHW, target_SHW = noisy_pair(0)
    record = faithfulness_record(target_SHW, generated_SHW, target_SHW, PATIENTS, CLASSES)
    dice_PC = per_patient_dice(class_counts(generated_SHW, target_SHW, 3), PATIENTS)
    prefix = "faithfulness.mask.patients_mean"
    for c, name in enumerate(("breast", "BV")):
        of_patients = [record[f"{prefix}.{name}.patient.{patient}"] for patient in dice_PC]
        assert of_patients == [dice_C[c] for dice_C in dice_PC.values()]
        assert record[f"{prefix}.{name}"] == pytest.approx(np.mean(of_patients))
    assert record[f"{prefix}.FGT"] is None
    of_patients = [record[f"{prefix}.macro.patient.{patient}"] for patient in dice_PC]
    assert of_patients == pytest.approx([np.nanmean(dice_C) for dice_C in dice_PC.values()])
    assert record[f"{prefix}.macro"] == pytest.approx(np.mean(of_patients))


def test_an_undefined_value_is_none_and_in_no_mean() -> None:
    values = {"p": 0.5, "q": float("nan"), "r.1": 0.75}
    entries = mean_entries("likeness.spectrum.all", values)
    assert list(entries.values()) == [0.625, 0.5, None, 0.75]
    assert list(entries)[3] == "likeness.spectrum.all.patient.r.1"
    assert mean_entries("k", {"0": float("nan")}, "block") == {"k": None, "k.block.0": None}


def test_one_patient_is_its_own_mean() -> None:
    real_SHW, target_SHW = noisy_pair(1)
    record = quality_record(target_SHW, None, real_SHW, np.array(["p"] * 6), CLASSES)
    key = "quality.ceiling.patients_mean.macro"
    assert record[key] == record[f"{key}.patient.p"] == record["quality.ceiling.dice.macro"]
    assert record["quality.patients"] == 1
    assert record["quality.slices"] == 6


def test_a_class_called_macro_is_refused() -> None:
    real_SHW, target_SHW = noisy_pair(1)
    with pytest.raises(ValueError, match="no class may be called 'macro'"):
        quality_record(target_SHW, None, real_SHW, PATIENTS, ("breast", "macro", "FGT"))


def test_training_cost_is_copied_and_is_unknown_for_a_model_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_sealed(path, json.loads('{"training": {"steps": 2, "images": 8, "flops": 99, "epochs": 1}}'))
    assert read_training_cost(path) == {"training.steps": 2, "training.images": 8, "training.flops": 99}
    further = tmp_path / "further.json"
    write_sealed(further, {"training": {"steps": 5, "images": 20, "flops": 1}})
    expected = {"training.steps": 2, "training.images": 8, "training.flops": 100}
    assert read_training_cost(path, [further]) == expected
    write_sealed(path, json.loads('{"kind": "imported"}'))
    assert read_training_cost(path) == {}
    write_sealed(path, json.loads('{"training": {"steps": 2}}'))
    with pytest.raises(ValueError, match=r"does not say the training's flops, images; .* train again"):
        read_training_cost(path)
