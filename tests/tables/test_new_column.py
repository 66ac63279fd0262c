"""A new column of a table is one entry of its layout: CSV, Markdown and picture have it."""

import math
import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from matplotlib.text import Text

from segguided.evaluation.csv_files import to_csv
from segguided.evaluation.records import mean_entries
from segguided.tables.columns import Fact, Measure, TableColumn
from segguided.tables.frame import make_frame
from segguided.tables.layouts import LAYOUTS, TABLE_1, TABLE_2, TABLE_3, Layout
from segguided.tables.markdown import to_markdown
from segguided.tables.pairs import make_comparisons
from segguided.tables.patient_columns import PatientsMean
from segguided.tables.sheet import make_sheet
from segguided.tables.typeset import draw_sheet
from support.table_records import CLASSES, PATIENTS, SETTINGS, patient_values, records

VALUES = {"segguided": 0.25, "spade": 0.75, "real": 0.5}
NOTE = "sensitivity: share of the mask's pixels that are found."
SENSITIVITY = Measure("sensitivity", "toy.sensitivity", heading="sensitivity", decimals=2, note=NOTE)
MEAN = PatientsMean("sensitivity", "toy.mean", heading="sensitivity", decimals=2, better="higher")


def with_entry(layout: Layout, entry: TableColumn) -> Layout:
    """The layout with one more entry, before those on training."""
    return replace(layout, columns=(entry, *layout.columns))


def toy_records(*seeds: int) -> list[dict[str, Any]]:
    """Records with a sensitivity, a hundredth more for each seed, of the whole and of each class."""
    of_grid = records(*seeds)
    for record in of_grid:
        sensitivity = VALUES[record["model"]] + 0.01 * record["seed"]
        for name in ("", ".macro", *(f".{name}" for name in CLASSES[record["dataset"]])):
            record |= {f"toy.sensitivity{name}": sensitivity, f"toy.spread{name}": 0.02, "toy.pixels": 12345}
        patients = PATIENTS[record["dataset"]]
        values = patient_values(sensitivity, patients)
        record.update(mean_entries("toy.mean", dict(zip(patients, values, strict=True))))
        record.update(
            mean_entries(
                "toy.blocks", {"0": sensitivity, "1": sensitivity + 0.02, "2": sensitivity + 0.01}, "block"
            )
        )
    return of_grid


def toy_frame(layout: Layout, *seeds: int) -> pd.DataFrame:
    return make_frame(layout, toy_records(*seeds), SETTINGS, {})


def cells(markdown: str, heading: str) -> list[str]:
    """The cells below a heading of the page's first table, without its rule."""
    lines = [line.split("|")[1:-1] for line in markdown.split("\n\n")[1].splitlines()]
    place = [text.strip() for text in lines[0]].index(heading)
    return [line[place].strip() for line in lines[2:]]


def weights(layout: Layout, frame: pd.DataFrame) -> dict[str, list[str]]:
    """The weights of each text of the picture, one for each time that it is there."""
    texts = [text for text in draw_sheet(make_sheet(layout, frame)).findobj(Text) if isinstance(text, Text)]
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault(text.get_text(), []).append(str(text.get_fontproperties().get_weight()))
    return found


@pytest.mark.parametrize("number", sorted(LAYOUTS))
def test_one_entry_gives_csv_markdown_and_picture(number: int) -> None:
    layout = with_entry(LAYOUTS[number], SENSITIVITY)
    frame = toy_frame(layout)
    header, first, *_ = to_csv(frame).splitlines()
    assert header.split(",").index("sensitivity") == first.split(",").index("0.2500")
    markdown = to_markdown(layout, frame)
    assert [text for text in cells(markdown, "sensitivity") if text] == ["0.25", "0.75"] * len(CLASSES)
    assert NOTE in " ".join(markdown.split())
    weight_of = weights(layout, frame)
    assert set(weight_of["sensitivity"] + weight_of["0.25"] + weight_of["0.75"]) == {"normal"}
    assert any(NOTE.split(":", maxsplit=1)[0].capitalize() in text for text in weight_of)


@pytest.mark.parametrize("number", sorted(LAYOUTS))
@pytest.mark.parametrize(("better", "best", "other"), [("higher", "0.76", "0.26"), ("lower", "0.26", "0.76")])
def test_a_mean_over_patients_has_an_interval_and_its_best_in_bold(
    number: int, better: Any, best: str, other: str
) -> None:
    """Of six patients and three seeds; the other dataset has one patient, so none is the best there."""
    layout = with_entry(LAYOUTS[number], replace(MEAN, better=better))
    frame = toy_frame(layout, 0, 1, 2)
    shown = {
        text.split()[0].strip("*"): text for text in cells(to_markdown(layout, frame), "sensitivity") if text
    }
    ours, *_ = [text for text in cells(to_markdown(layout, frame), "sensitivity") if text]
    assert shown.keys() == {"0.26", "0.76"}
    assert re.fullmatch(r"(\*\*)?0\.26(\*\*)? ± 0\.01 \[0\.\d\d, 0\.\d\d\]", ours)
    weight_of = weights(layout, frame)
    assert "bold" in weight_of[best]
    assert weight_of[other] == ["normal", "normal"]
    assert set(frame.loc[frame["dataset"] == "ct", "sensitivity_no_best"].dropna()) == {
        "one test patient says nothing about others"
    }


def test_values_of_blocks_have_an_interval_within_their_patient_and_no_best() -> None:
    layout = with_entry(TABLE_3, replace(MEAN, key="toy.blocks"))
    frame = toy_frame(layout, 0, 1)
    assert frame["sensitivity_low"].notna().sum() == 4
    assert frame["sensitivity_standing"].isna().all()
    rows = make_comparisons(layout, toy_records(0, 1), SETTINGS)
    rows = rows[rows["measure"] == "sensitivity"]
    assert set(rows["verdict"]) == {"one patient: says nothing about others"}
    assert rows["low"].tolist() == rows["high"].tolist() == pytest.approx([-0.5, -0.5])
    assert rows["p"].isna().all()


def test_without_bounds_there_is_no_interval_but_the_patients_values() -> None:
    layout = with_entry(TABLE_3, replace(MEAN, highest=math.inf))
    first, *_ = cells(to_markdown(layout, toy_frame(layout)), "sensitivity")
    assert first == "0.25 (0.23…0.27)"


def test_records_of_other_patients_are_refused() -> None:
    layout = with_entry(TABLE_3, MEAN)
    of_grid = toy_records()
    of_grid[1]["toy.mean.patient.p9"] = of_grid[1].pop("toy.mean.patient.p0")
    with pytest.raises(
        ValueError, match=r"sensitivity: expected the same patients of every model, got p0, p1"
    ):
        make_frame(layout, of_grid, SETTINGS, {})
    for key in [key for key in of_grid[0] if key.startswith("toy.mean.patient.")]:
        of_grid[0].pop(key)
    with pytest.raises(ValueError, match=r"has no patients below toy\.mean, .* evaluate again"):
        make_frame(layout, of_grid, SETTINGS, {})


@pytest.mark.parametrize("number", sorted(LAYOUTS))
def test_without_the_entry_the_table_has_no_such_column(number: int) -> None:
    frame = toy_frame(LAYOUTS[number])
    assert "sensitivity" not in frame.columns
    assert "sensitivity" not in to_markdown(LAYOUTS[number], frame)


def test_a_column_may_hold_the_real_images() -> None:
    layout = with_entry(TABLE_3, replace(SENSITIVITY, real_key="toy.sensitivity"))
    texts = cells(to_markdown(layout, toy_frame(layout)), "sensitivity")
    assert texts == ["0.25", "0.75", "0.50"] * len(CLASSES)


def test_a_column_may_have_a_value_for_each_class() -> None:
    key = "toy.sensitivity.{name}"
    sensitivity = replace(SENSITIVITY, key=key, real_key=key, by_class=True)
    layout = with_entry(TABLE_2, sensitivity)
    frame = toy_frame(layout)
    assert cells(to_markdown(layout, frame), "sensitivity")[1] == "0.75"
    assert "sensitivity per class, phantom:" in to_markdown(layout, frame)
    assert frame.loc[frame["class"] == "bone", "sensitivity"].tolist() == [0.25, 0.75, 0.5]


def test_a_column_without_classes_is_in_the_macro_rows_alone() -> None:
    layout = with_entry(TABLE_1, SENSITIVITY)
    frame = toy_frame(layout)
    assert frame.loc[frame["class"] != "macro", "sensitivity"].isna().all()
    assert "sensitivity per class" not in to_markdown(layout, frame)


def test_deviations_are_over_seeds_or_else_the_records_own() -> None:
    sensitivity = replace(SENSITIVITY, deviation_column="sensitivity_spread", deviation_key="toy.spread")
    layout = with_entry(TABLE_3, sensitivity)
    assert cells(to_markdown(layout, toy_frame(layout)), "sensitivity")[1] == "0.75 ± 0.02"
    assert cells(to_markdown(layout, toy_frame(layout, 0, 1, 2)), "sensitivity")[1] == "0.76 ± 0.01"


def test_a_column_without_a_heading_is_in_the_csv_alone() -> None:
    layout = with_entry(TABLE_1, replace(SENSITIVITY, heading=""))
    frame = toy_frame(layout)
    assert frame["sensitivity"].notna().any()
    assert "sensitivity" not in to_markdown(layout, frame)


def test_a_fact_is_a_whole_number_with_commas() -> None:
    layout = with_entry(TABLE_3, Fact("pixels", "toy.pixels", heading="pixels"))
    frame = toy_frame(layout)
    assert set(frame["pixels"]) == {12345}
    assert cells(to_markdown(layout, frame), "pixels") == ["12,345"] * 6


def test_a_record_without_the_new_key_is_refused() -> None:
    layout = with_entry(TABLE_3, SENSITIVITY)
    with pytest.raises(ValueError, match=r"has no toy\.sensitivity; .* evaluate again"):
        make_frame(layout, records(), SETTINGS, {})
