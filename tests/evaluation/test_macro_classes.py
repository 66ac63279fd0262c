"""A macro mean is over the classes that the test masks hold: for every row, ratio and ceiling."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segguided.data.slices import SliceSet, Stack
from segguided.evaluation.csv_files import read_csv, to_csv
from segguided.evaluation.dice import class_counts, classes_in_masks
from segguided.evaluation.partial_masks import partial_rows
from segguided.evaluation.rare import RareClass, rare_case_rows
from segguided.evaluation.records import faithfulness_record, quality_record
from segguided.evaluation.similarity import similarity_rows
from segguided.evaluation.translation import translation_rows
from segguided.tables.frame import make_frame
from segguided.tables.inputs import TableSettings, over_seeds
from segguided.tables.layouts import CEILING_ROW, TABLE_1
from segguided.tables.markdown import to_markdown
from segguided.tables.sheet import make_sheet
from support.readers import Reader

CLASSES = ("organ", "bone", "lesion", "cyst")
PATIENTS = np.repeat([f"p{k}" for k in range(6)], 3)


def masks(*values: int) -> np.ndarray:
    """18 slices of six patients, each with a block of 32 pixels of every one of the classes `values`."""
    masks_SHW = np.zeros((len(PATIENTS), 16, 16), np.uint8)
    for value in values:
        masks_SHW[:, 4 * (value - 1) : 4 * value, :8] = value
    return masks_SHW


def of(patient: str) -> np.ndarray:
    """Which slices are a patient's."""
    return np.array([name == patient for name in PATIENTS])


def strayed(masks_SHW: np.ndarray, *values: int) -> np.ndarray:
    """The same, with one pixel of each of the classes `values` in one slice's background."""
    changed = masks_SHW.copy()
    for value in values:
        changed[7, value, 15] = value
    return changed


def worse(masks_SHW: np.ndarray) -> np.ndarray:
    """Half of each class's pixels are lost: Dice 2/3."""
    changed = masks_SHW.copy()
    changed[:, :, :4] = 0
    return changed


def defined(record: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The record's values under a prefix, without the prefix."""
    return {k.removeprefix(prefix): v for k, v in record.items() if k.startswith(prefix)}


@pytest.mark.parametrize(
    ("values_held", "stray"), [((1, 2), (3,)), ((1,), (2, 3, 4)), ((2, 4), (1, 3)), ((1, 2, 3), (4,))]
)
def test_stray_pixels_of_a_class_that_no_mask_holds_change_nothing(
    values_held: tuple[int, ...], stray: tuple[int, ...]
) -> None:
    target, predicted = masks(*values_held), worse(masks(*values_held))
    for spoiled_prediction, spoiled_real in [
        (strayed(predicted, *stray), target),
        (predicted, strayed(target, *stray)),
        (strayed(predicted, *stray), strayed(target, *stray)),
    ]:
        record = faithfulness_record(target, spoiled_prediction, spoiled_real, PATIENTS, CLASSES)
        assert record == faithfulness_record(target, predicted, target, PATIENTS, CLASSES)
        quality = quality_record(target, spoiled_prediction, spoiled_real, PATIENTS, CLASSES)
        assert quality == quality_record(target, predicted, target, PATIENTS, CLASSES)
    for name in [CLASSES[value - 1] for value in stray]:
        assert set(defined(record, "faithfulness.mask.").values()) >= {None}
        assert all(v is None for k, v in record.items() if k.endswith(f".{name}"))
    assert record["faithfulness.mask.dice.macro"] == pytest.approx(2 / 3)
    assert record["faithfulness.real.dice.macro"] == pytest.approx(2 / 3)
    assert record["faithfulness.mask.slice_mean.macro"] == pytest.approx(2 / 3)
    assert record["faithfulness.mask.patients_mean.macro.patient.p2"] == pytest.approx(2 / 3)
    assert record["faithfulness.ceiling.dice.macro"] == 1


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(1, 4), min_size=1), st.integers(0, 10_000))
def test_the_ratio_of_means_lies_among_the_classes_ratios(values_held: set[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = masks(*values_held)

    def noisy() -> np.ndarray:
        noise = rng.integers(0, 5, target.shape).astype(np.uint8)
        return np.where(rng.random(target.shape) < rng.uniform(0, 0.4), noise, target)

    record = quality_record(target, noisy(), noisy(), PATIENTS, CLASSES)
    ratios = [record[f"quality.model.ratio.{CLASSES[value - 1]}"] for value in values_held]
    assert min(ratios) - 1e-9 <= record["quality.model.ratio.macro"] <= max(ratios) + 1e-9
    for comparison in ("model", "ceiling"):
        dice = [record[f"quality.{comparison}.dice.{CLASSES[value - 1]}"] for value in values_held]
        assert record[f"quality.{comparison}.dice.macro"] == pytest.approx(np.mean(dice))


def test_a_class_of_the_masks_found_in_neither_image_counts_as_0() -> None:
    """As with one stray pixel: else the model that shows nothing of it would be better off."""
    target = masks(1, 2)
    real = np.where(target == 2, 0, target)
    nothing = faithfulness_record(target, real, real, PATIENTS, CLASSES)
    stray = faithfulness_record(target, strayed(real, 2), real, PATIENTS, CLASSES)
    for record in (nothing, stray):
        assert record["faithfulness.real.dice.bone"] == record["faithfulness.ceiling.dice.bone"] == 0
        assert record["faithfulness.real.dice.macro"] == record["faithfulness.ceiling.dice.macro"] == 0.5
        assert record["faithfulness.real.ratio.bone"] is None
        assert record["faithfulness.real.ratio.macro"] == 1


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_class_that_the_ceiling_misses_is_in_neither_mean_of_the_ratio(share: float) -> None:
    """A model that shows what no segmenter finds on real images would else be at twice the ceiling."""
    target = masks(1, 2)
    real = np.where(target == 2, 0, target)
    bone = np.flatnonzero(target == 2)
    predicted = target.copy()
    predicted.flat[bone[round(share * len(bone)) :]] = 0
    record = quality_record(target, predicted, real, PATIENTS, CLASSES)
    assert record["quality.model.ratio.bone"] is None
    assert record["quality.model.ratio.macro"] == record["quality.model.ratio.organ"] == 1


def test_a_patients_mean_is_over_the_classes_of_its_own_masks() -> None:
    target = masks(1, 2)
    target[of("p0")] = masks(1)[of("p0")]
    target[of("p1")] = 0
    predicted = strayed(target, 2)  # in a slice of p2
    predicted[0:4, 15, 15] = 2  # in p0, which has no bone, and in p1, which has nothing
    record = faithfulness_record(target, predicted, target, PATIENTS, CLASSES)
    assert record["faithfulness.mask.patients_mean.macro.patient.p0"] == 1
    assert record["faithfulness.real.patients_mean.macro.patient.p0"] == 1
    assert record["faithfulness.mask.patients_mean.macro.patient.p1"] is None
    assert 0.9 < record["faithfulness.mask.patients_mean.macro.patient.p2"] < 1


@pytest.mark.parametrize("measure", [faithfulness_record, quality_record])
def test_test_masks_of_background_alone_are_refused(measure: Any) -> None:
    empty = masks()
    with pytest.raises(
        ValueError, match=r"18 slices of background alone.*nothing to measure; check the masks"
    ):
        measure(empty, masks(1), masks(1), PATIENTS, CLASSES)
    with pytest.raises(ValueError, match="background alone"):
        classes_in_masks(class_counts(masks(1), masks(2), 4, empty))


# --- the tables


def table(values_held: dict[str, tuple[int, ...]], blind: tuple[int, ...] = ()) -> pd.DataFrame:
    """Table 1 of a model that loses half of each class, its segmenter never finds the classes `blind`."""
    records = []
    for dataset, values in values_held.items():
        target = masks(*values)
        real = np.where(np.isin(target, blind), 0, target)
        predicted = strayed(worse(real), *{1, 2, 3, 4} - set(values))
        for model, generated in (("m", predicted), ("real", None)):
            record = faithfulness_record(target, generated, real, PATIENTS, CLASSES)
            records.append({"dataset": dataset, "model": model, "seed": 0, **record})
    settings = {
        "datasets": [{"name": name, "classes": CLASSES} for name in values_held],
        "models": [{"name": "m", "title": "Ours"}],
    }
    return make_frame(TABLE_1, records, TableSettings.model_validate(settings), {})


@pytest.mark.parametrize(
    ("values_held", "note"),
    [
        ((1, 2, 3), "a: no test mask holds cyst, so there is nothing to measure; the mean of every row is "
                    "over organ, bone, lesion."),
        ((2, 4), "a: no test mask holds organ, lesion, so there is nothing to measure; the mean of every row "
                 "is over bone, cyst."),
        ((1,), "no test mask holds bone, lesion, cyst"),
    ],
)  # fmt: skip
def test_absent_classes_stay_empty_and_are_named_below(values_held: tuple[int, ...], note: str) -> None:
    frame = table({"a": values_held, "b": (1, 2, 3, 4)})
    words = " ".join(to_markdown(TABLE_1, frame).split())
    assert note in words
    assert "b: no test mask" not in words
    absent = frame[
        (frame["dataset"] == "a") & ~frame["class"].isin(["macro", *(CLASSES[v - 1] for v in values_held)])
    ]
    assert len(absent) == 2 * (4 - len(values_held))
    assert absent.filter(like="dice").isna().all(axis=None)


def test_nothing_is_said_where_all_classes_occur() -> None:
    words = to_markdown(TABLE_1, table({"a": (1, 2, 3, 4)}))
    assert "no test mask" not in words
    assert "near 0" not in words
    assert "no interval" not in words


@pytest.mark.parametrize(
    ("blind", "note"),
    [
        ((2,), "a: the ceiling of bone (0.0000) is near 0, for the segmenter all but misses it"),
        ((1, 3), "a: the ceiling of organ (0.0000), lesion (0.0000) is near 0"),
        ((1, 2, 3), "lesion (0.0000) is near 0"),
    ],
)
def test_a_ceiling_near_0_is_flagged_and_has_no_ratio(
    blind: tuple[int, ...], note: str, tmp_path: Any
) -> None:
    frame = table({"a": (1, 2, 3)}, blind)
    words = " ".join(to_markdown(TABLE_1, frame).split())
    assert note in words
    assert "its Dice says nothing about any model, and there is no ratio to it" in words
    of_model = frame[frame["model"] != CEILING_ROW].set_index("class")
    missed = [CLASSES[value - 1] for value in blind]
    assert of_model.loc[missed].filter(like="ratio").isna().all(axis=None)
    assert (of_model.loc[missed, "dice_mask"] == 0).all()
    if len(blind) < 3:
        assert of_model.loc["macro", "dice_mask_ratio_to_ceiling"] == pytest.approx(2 / 3)
    (tmp_path / "table.csv").write_text(to_csv(frame))
    assert make_sheet(TABLE_1, read_csv(tmp_path / "table.csv")).notes == make_sheet(TABLE_1, frame).notes


def test_records_over_different_classes_are_refused() -> None:
    records = []
    for model, target in (("m", masks(1, 2)), ("real", masks(1, 2, 3))):
        record = faithfulness_record(target, target, target, PATIENTS, CLASSES)
        records.append({"dataset": "a", "model": model, "seed": 0, **record})
    settings = {"datasets": [{"name": "a", "classes": CLASSES}], "models": [{"name": "m", "title": "M"}]}
    message = (
        r"of real, seed 0, counts the classes organ, bone, lesion, that of m, seed 0, organ, bone; .*again"
    )
    with pytest.raises(ValueError, match=message):
        make_frame(TABLE_1, records, TableSettings.model_validate(settings), {})


@pytest.mark.parametrize("values", [(0.5, None), (None, 0.5, 0.7), (None, None)])
def test_a_value_that_one_seed_lacks_has_no_mean_over_the_others(values: tuple[float | None, ...]) -> None:
    records = [{"dataset": "a", "model": "m", "seed": seed, "x": value} for seed, value in enumerate(values)]
    assert np.isnan(over_seeds(records, "x")).all()


# --- the other measurements

NAMES = ("a", "b")


def slices(value: int = 1) -> SliceSet:
    """Two patients whose masks hold one class, on images that say so (see Reader)."""
    masks_SHW = np.zeros((20, 16, 16), np.uint8)
    masks_SHW[:, 2:6, 2:6] = value
    images_SHW = masks_SHW * 100
    return SliceSet([Stack(p, images_SHW, masks_SHW, np.arange(20.0), {}) for p in ("p", "q", "r", "s")])


def with_stray(value: int) -> SliceSet:
    """The same with a pixel of the other class on the images alone."""
    values_held = slices(value)
    stacks = []
    for stack in values_held.stacks:
        images = stack.images_SHW.copy()
        images[:, 0, 0] = 100 * (3 - value)
        stacks.append(Stack(stack.patient, images, stack.masks_SHW, stack.positions_S, {}))
    return SliceSet(stacks)


@pytest.mark.parametrize("value", [1, 2])
def test_rare_cases_translation_and_similarity_leave_the_absent_class_out(
    value: int,
) -> None:
    test, absent = with_stray(value), NAMES[2 - value]
    rare = RareClass("b", np.array([0.5, 0.5]))
    rows = {r["class"]: r for r in rare_case_rows(test, [Reader()], [Reader()], NAMES, rare)}
    assert rows["macro"]["dice_real"] == rows["macro"]["dice_real_and_generated"] == 1
    assert rows["macro"]["difference_low"] == rows["macro"]["difference"] == 0
    assert np.isnan([rows[absent][key] for key in ("dice_real", "difference", "difference_low")]).all()

    of_measure = {r["measure"]: r["value"] for r in translation_rows(test, test, None, Reader(), NAMES)}
    assert of_measure["dice_macro"] == 1
    assert np.isnan(of_measure[f"dice_{absent}"])

    variants = {"0/0": test.images, "0/1": slices(value).images}
    variants |= {f"1/{number}": images for number, images in enumerate(variants.values())}
    for row in similarity_rows(variants, test, test, Reader(), NAMES):
        assert row["dice_macro"] == 1
        assert row["variation_macro"] == 0
        assert np.isnan([row[f"dice_{absent}"], row[f"variation_{absent}"]]).all()


@pytest.mark.parametrize("stray", [0, 1, 5])
def test_partial_masks_leave_the_absent_class_out(stray: int) -> None:
    values_held = masks(1, 2)
    predicted = values_held.copy()
    predicted[:stray, 15, 15] = 3
    samples = np.stack([predicted, predicted])
    rows = {
        (row["kept"], row["class"]): row
        for row in partial_rows(
            {"all": samples, "organ+lesion": samples, "lesion": samples}, values_held, CLASSES
        )
    }
    for kept in ("all", "organ+lesion"):
        macro = rows[kept, "macro"]
        assert macro["dice"] == macro["ratio_to_full"] == macro["area"] == 1
        assert np.isnan([rows[kept, "lesion"]["dice"], rows[kept, "lesion"]["area"]]).all()
    assert np.isnan(rows["lesion", "macro"]["dice"]), "none of the constrained classes is in the masks"
    assert (rows["all", "lesion"]["variation"] == 0) == (stray > 0), (
        "seen between samples, whatever the masks"
    )
