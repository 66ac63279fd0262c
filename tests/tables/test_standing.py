"""Bold is evidence: a copy of a model never makes a best one; a model that is worse by construction is found.

It is found from that number of patients on at which a test can find it, and not below. All goes from masks to
CSV, Markdown and picture.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from segguided.evaluation.comparisons import least_patients
from segguided.evaluation.records import faithfulness_record
from segguided.tables.frame import make_frame
from segguided.tables.inputs import TableSettings
from segguided.tables.layouts import TABLE_1, TABLE_3
from segguided.tables.markdown import to_markdown
from segguided.tables.pairs import make_comparisons
from segguided.tables.patient_columns import PatientsMean
from segguided.tables.sheet import make_sheet
from segguided.tables.typeset import draw_sheet
from segguided.tables.units import UnitValues
from support.table_records import SETTINGS, records

COLUMN = "dice_mask_patients_mean"
CLASSES = ("breast",)
COPY = ("good", "copy", "worse")  # three models
ALONE = ("good", "worse")
# Pixels of each mask that a model misses. The worse one misses more of them in every patient.
MISSED = {"good": 8, "copy": 8, "worse": 24}


def predicted(model: str, n_patients: int, seed: int) -> np.ndarray:
    """A slice for each patient: its mask without some pixels, which differ by patient and seed."""
    masks_SHW = masks(n_patients)
    for patient, mask_HW in enumerate(masks_SHW):
        rng = np.random.default_rng((seed, patient))
        n_missed = MISSED[model] + rng.integers(0, 4)
        mask_HW.flat[np.flatnonzero(mask_HW)[:n_missed]] = 0
    return masks_SHW


def masks(n_patients: int) -> np.ndarray:
    """A slice for each patient, with a square of 12×12 pixels of the class."""
    masks_SHW = np.zeros((n_patients, 16, 16), np.uint8)
    masks_SHW[:, 2:14, 2:14] = 1
    return masks_SHW


def grid(models: Sequence[str], n_patients: int, n_seeds: int) -> tuple[list[dict[str, Any]], TableSettings]:
    """The records of these models and of the real images, and the settings of their table."""
    patients = np.array([f"p{number:02}" for number in range(n_patients)])
    target = masks(n_patients)
    records = []
    for model in (*models, "real"):
        for seed in range(n_seeds):
            generated = None if model == "real" else predicted(model, n_patients, seed)
            measured = faithfulness_record(target, generated, target, patients, CLASSES)
            records.append({"dataset": "d", "model": model, "seed": seed, **measured})
    names = [{"name": model, "title": model} for model in models]
    settings = {"datasets": [{"name": "d", "classes": CLASSES}], "models": names}
    return records, TableSettings.model_validate(settings)


def tables(models: Sequence[str], n_patients: int, n_seeds: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table 1 and its comparisons."""
    records, settings = grid(models, n_patients, n_seeds)
    return make_frame(TABLE_1, records, settings, {}), make_comparisons(TABLE_1, records, settings)


def standing(frame: pd.DataFrame) -> dict[str, str]:
    """The models that stand out, by column of the CSV."""
    rows = frame[frame["class"] == "macro"].dropna(subset=[f"{COLUMN}_standing"])
    return dict(zip(rows[f"{COLUMN}_standing"], rows["model"], strict=True))


def shows_bold(frame: pd.DataFrame) -> tuple[bool, bool]:
    """Whether Markdown and picture have a number in bold."""
    table = [line for line in to_markdown(TABLE_1, frame).splitlines() if line.startswith("|")]
    texts = draw_sheet(make_sheet(TABLE_1, frame)).findobj(Text)
    bold = [text for text in texts if str(text.get_fontproperties().get_weight()) == "bold"]
    return "**" in "".join(table), any("0." in text.get_text() for text in bold)


def verdicts(comparisons: pd.DataFrame) -> dict[tuple[str, str], str]:
    """What is said of each pair, by the two names."""
    rows = comparisons[comparisons["measure"] == COLUMN]
    return {(row["model"], row["other"]): row["verdict"] for _, row in rows.iterrows()}


@pytest.mark.parametrize("n_patients", [1, 2, 6, 7, 12])
def test_a_copy_never_makes_a_best(n_patients: int) -> None:
    frame, comparisons = tables(COPY, n_patients)
    assert "best" not in standing(frame)
    assert shows_bold(frame) == (False, False)
    assert " is better" not in verdicts(comparisons)["good", "copy"]
    assert "none is best, for " in " ".join(to_markdown(TABLE_1, frame).split())


@pytest.mark.parametrize("models", [COPY, ALONE])
def test_a_model_worse_by_construction_is_found_where_it_can_be_and_not_below(models: Sequence[str]) -> None:
    least = least_patients(len(models))
    for n_patients in (2, least - 1):
        frame, comparisons = tables(models, n_patients)
        assert set(verdicts(comparisons).values()) == {"too few patients to tell"}
        assert not standing(frame)
    for n_patients in (least, least + 4):
        _, comparisons = tables(models, n_patients)
        assert verdicts(comparisons)["good", "worse"] == "good is better"
        of_worse = comparisons[(comparisons["model"] == "good") & (comparisons["other"] == "worse")].iloc[0]
        assert 0 < of_worse["low"] <= of_worse["difference"] <= of_worse["high"]
        assert of_worse["p_adjusted"] <= 0.05


def test_the_better_of_two_is_in_bold_from_six_patients_on() -> None:
    frame, _ = tables(ALONE, 6)
    assert standing(frame) == {"best": "good"}
    assert shows_bold(frame) == (True, True)
    assert "none is best" not in " ".join(to_markdown(TABLE_1, frame).split())


def test_one_training_is_no_evidence() -> None:
    frame, comparisons = tables(ALONE, 12, n_seeds=1)
    assert not standing(frame)
    assert shows_bold(frame) == (False, False)
    assert verdicts(comparisons)["good", "worse"] == "good is better, of these two trained models alone"
    assert "one training of a model says nothing about its next one" in to_markdown(TABLE_1, frame).replace(
        "\n  ", " "
    )


def test_a_patient_without_the_class_is_no_patient_of_the_comparison() -> None:
    records, settings = grid(ALONE, 6, 3)
    for record in records:
        for key in [key for key in record if key.endswith(".macro.patient.p03")]:
            record[key] = None
    comparisons = make_comparisons(TABLE_1, records, settings)
    assert set(comparisons["patients"]) == {5}
    assert set(comparisons["verdict"]) == {"too few patients to tell"}


def test_one_patient_has_no_interval() -> None:
    frame, comparisons = tables(ALONE, 1)
    assert frame[[f"{COLUMN}_low", f"{COLUMN}_high"]].isna().all(axis=None)
    assert comparisons[["low", "high", "p", "p_adjusted"]].isna().all(axis=None)
    assert set(comparisons["verdict"]) == {"one patient: says nothing about others"}


@pytest.mark.parametrize("measure", ["diversity.macro", "density.unseen"])
def test_more_than_real_images_have_is_no_better(measure: str) -> None:
    """Before it is raised by a half, segguided is best; then both models are above 1."""
    column = measure.replace(".macro", "").replace(".", "_")
    measured = records(0, 1, 2)
    for raised, best in ((0.0, ["segguided"]), (0.5, [])):
        for record in measured:
            for key in record:
                if key.startswith(f"likeness.{measure}.patient."):
                    record[key] += raised
        frame = make_frame(TABLE_3, measured, SETTINGS, {})
        phantom = frame[(frame["dataset"] == "phantom") & (frame[f"{column}_standing"] == "best")]
        assert list(phantom["model"]) == best
        comparisons = make_comparisons(TABLE_3, measured, SETTINGS)
        rows = comparisons[(comparisons["measure"] == column) & (comparisons["dataset"] == "phantom")]
        assert list(rows["verdict"]) == ["segguided is better" if best else "not told apart"]


def test_an_interval_within_one_patient_stays_within_the_bounds() -> None:
    values_NP = np.array([[0.0, 0.0, 0.1, 0.0, 0.3]])
    names = tuple("01234")
    for values, low, high in ((values_NP, 0.0, 0.645), (1 - values_NP, 0.355, 1.0)):
        found = PatientsMean("share", "key").interval(UnitValues(names, values, of_one_patient=True))
        assert found is not None
        assert (found.low, found.high) == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))
