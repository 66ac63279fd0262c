"""The record of a dataset, model and seed: its keys, its values, and that it is plain JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from segguided.evaluation.dice import class_counts, classes_in_masks, pooled_dice
from segguided.evaluation.intervals import ratio_interval
from segguided.evaluation.records import faithfulness_record, quality_record, read_training_cost
from segguided.seals import write_sealed
from support.noisy_masks import noisy_pair

CLASSES = ("breast", "BV", "FGT")
PATIENTS = np.array(["p1", "p1", "p2", "p2", "p.3", "p.3"])
BOOTSTRAP = {"resamples": 40, "seed": 3}


def test_keys_of_a_model() -> None:
    generated_SHW, target_SHW = noisy_pair(0)
    real_SHW, _ = noisy_pair(1)
    record = faithfulness_record(target_SHW, generated_SHW, real_SHW, PATIENTS, CLASSES, **BOOTSTRAP)
    plain = ("dice", "dice_low", "dice_high", "slice_mean")
    with_ratio = (*plain, "ratio", "ratio_low", "ratio_high")
    expected = {"faithfulness.slices", "faithfulness.patients", "faithfulness.interval_unit"}
    for comparison, statistics in {"mask": with_ratio, "real": with_ratio, "ceiling": plain}.items():
        prefix = f"faithfulness.{comparison}"
        expected |= {f"{prefix}.{s}.{name}" for s in statistics for name in (*CLASSES, "macro")}
        expected |= {f"{prefix}.patient_dice.{patient}" for patient in ("p1", "p2", "p.3")}
    assert set(record) == expected
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_values_are_the_metrics() -> None:
    generated_SHW, target_SHW = noisy_pair(0)
    real_SHW, _ = noisy_pair(1)
    record = faithfulness_record(target_SHW, generated_SHW, real_SHW, PATIENTS, CLASSES, **BOOTSTRAP)
    mask_SC3 = class_counts(generated_SHW, target_SHW, 3)
    real_SC3 = class_counts(generated_SHW, real_SHW, 3)
    ceiling_SC3 = class_counts(real_SHW, target_SHW, 3)
    assert record["faithfulness.mask.dice.breast"] == pooled_dice(mask_SC3)[0]
    assert record["faithfulness.real.dice.BV"] == pooled_dice(real_SC3)[1]
    assert record["faithfulness.ceiling.dice.macro"] == np.nanmean(pooled_dice(ceiling_SC3))
    low_K, _ = ratio_interval(mask_SC3, ceiling_SC3, PATIENTS, classes_in_masks(ceiling_SC3), **BOOTSTRAP)
    assert record["faithfulness.mask.ratio_low.macro"] == low_K[-1]
    assert record["faithfulness.mask.dice.FGT"] is None  # absent from both masks


def test_real_data_has_the_ceiling_alone() -> None:
    real_SHW, target_SHW = noisy_pair(1)
    for record in (
        faithfulness_record(target_SHW, None, real_SHW, PATIENTS, CLASSES, **BOOTSTRAP),
        quality_record(target_SHW, None, real_SHW, PATIENTS, CLASSES, **BOOTSTRAP),
    ):
        comparisons = {key.split(".")[1] for key in record if key.count(".") > 1}
        assert comparisons == {"ceiling"}


def test_quality_of_the_ceiling_itself_is_a_ratio_of_one() -> None:
    real_SHW, target_SHW = noisy_pair(1)
    record = quality_record(target_SHW, real_SHW, real_SHW, PATIENTS, CLASSES, **BOOTSTRAP)
    names = ("quality.model.ratio.macro", "quality.model.ratio_low.macro", "quality.model.ratio_high.BV")
    assert [record[name] for name in names] == [1, 1, 1]


def test_one_patient_is_reported_as_slices() -> None:
    real_SHW, target_SHW = noisy_pair(1)
    record = quality_record(target_SHW, None, real_SHW, np.array(["p"] * 6), CLASSES, **BOOTSTRAP)
    assert record["quality.interval_unit"] == "slices"
    assert record["quality.patients"] == 1
    assert record["quality.slices"] == 6


def test_a_class_called_macro_is_refused() -> None:
    real_SHW, target_SHW = noisy_pair(1)
    with pytest.raises(ValueError, match="no class may be called 'macro'"):
        quality_record(target_SHW, None, real_SHW, PATIENTS, ("breast", "macro", "FGT"), **BOOTSTRAP)


def test_training_cost_is_copied_and_is_unknown_for_a_model_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_sealed(path, json.loads('{"training": {"steps": 2, "images": 8, "flops": 99, "epochs": 1}}'))
    assert read_training_cost(path) == {"training.steps": 2, "training.images": 8, "training.flops": 99}
    write_sealed(path, json.loads('{"kind": "imported"}'))
    assert read_training_cost(path) == {}
    write_sealed(path, json.loads('{"training": {"steps": 2}}'))
    with pytest.raises(ValueError, match=r"does not say the training's flops, images; .* train again"):
        read_training_cost(path)
