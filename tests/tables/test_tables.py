"""Tables hold what the records say, beside the paper's values, in stable bytes, or refuse the records."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import make_table as script
from segguided.cli import call
from segguided.evaluation.csv_files import read_csv, to_csv
from segguided.seals import write_sealed
from segguided.tables.columns import Published
from segguided.tables.entries import SheetColumn, number_text
from segguided.tables.frame import make_frame
from segguided.tables.inputs import TableSettings, read_paper_values, read_records
from segguided.tables.layouts import CEILING_ROW, LAYOUTS, REFERENCE_ROW, TABLE_1, TABLE_2, TABLE_3
from segguided.tables.markdown import to_markdown
from segguided.tables.pairs import make_comparisons
from segguided.tables.pipes import pipe_table
from segguided.tables.sheet import make_sheet
from support.table_records import (
    CLASSES,
    PAPER,
    SETTINGS,
    distance_frame,
    frame,
    record,
    records,
)

REAL_ROWS = (CEILING_ROW, REFERENCE_ROW)


def cell(table: pd.DataFrame, dataset: str, model: str, name: str, column: str) -> Any:
    chosen = (table["dataset"] == dataset) & (table["model"] == model) & (table["class"] == name)
    (value,) = table.loc[chosen, column]
    return value


def test_rows_follow_the_settings_and_end_with_the_ceiling() -> None:
    table = frame()
    macro = table[table["class"] == "macro"]
    models = ["segguided", "spade", CEILING_ROW]
    assert list(zip(macro["dataset"], macro["model"], strict=True)) == [
        (d, m) for d in ("phantom", "ct") for m in models
    ]
    first = table[(table["dataset"] == "phantom") & (table["model"] == "segguided")]
    assert list(first["class"]) == ["macro", "breast", "BV"]


@pytest.mark.parametrize(("number", "column"), [(1, "dice_mask"), (1, "dice_real"), (2, "dice")])
def test_values_come_from_the_records(number: int, column: str) -> None:
    table = frame(number)
    assert cell(table, "ct", "spade", "bone", column) == 0.7
    assert cell(table, "ct", "spade", "macro", column + "_ratio_to_ceiling") == pytest.approx(0.7 / 0.9)
    assert pd.isna(cell(table, "ct", "spade", "macro", column + "_std"))


def test_the_ceiling_stands_in_the_first_measure_only() -> None:
    table = frame(1)
    assert cell(table, "phantom", CEILING_ROW, "macro", "dice_mask") == 0.9
    assert pd.isna(cell(table, "phantom", CEILING_ROW, "macro", "dice_real"))
    assert pd.isna(cell(table, "phantom", CEILING_ROW, "macro", "dice_mask_ratio_to_ceiling"))


def test_the_papers_value_stands_beside_macro_rows_of_a_named_column() -> None:
    table = frame(1)
    assert cell(table, "phantom", "segguided", "macro", "dice_mask_paper") == 0.9027
    assert table["dice_mask_minus_paper"].isna().all(), "other data than the paper's"
    assert pd.isna(cell(table, "phantom", "segguided", "breast", "dice_mask_paper"))
    assert table.loc[table["dataset"] == "ct", "dice_mask_paper"].isna().all()
    assert cell(frame(2), "phantom", CEILING_ROW, "macro", "dice_paper") == 0.8376


def test_only_the_papers_own_data_have_a_difference_to_the_paper() -> None:
    first, second = SETTINGS.datasets
    same = first.model_copy(update={"is_papers_data": True})
    other = second.model_copy(update={"paper_column": "ct-organ"})
    settings = SETTINGS.model_copy(update={"datasets": (same, other)})
    table = make_frame(TABLE_1, records(), settings, read_paper_values(PAPER))
    difference = cell(table, "phantom", "segguided", "macro", "dice_mask_minus_paper")
    assert difference == pytest.approx(0.8 - 0.9027)
    assert cell(table, "ct", "segguided", "macro", "dice_mask_paper") == 0.898
    assert pd.isna(cell(table, "ct", "segguided", "macro", "dice_mask_minus_paper"))
    words = " ".join(to_markdown(TABLE_1, table).split())
    assert "phantom: for the same dataset, difference: ours minus it; ct: for other data" in words
    assert "| difference |" in to_markdown(TABLE_1, table)
    words = to_markdown(TABLE_1, frame(1))
    assert "difference |" not in words
    assert "ours minus it" not in words


def test_several_seeds_give_mean_and_deviation() -> None:
    table = frame(2, 0, 1, 2)
    assert cell(table, "phantom", "spade", "macro", "dice") == pytest.approx(0.71)
    assert cell(table, "phantom", "spade", "macro", "dice_std") == pytest.approx(0.01)
    assert cell(table, "phantom", "spade", "macro", "seeds") == 3
    assert "| SPADE          | 0.7100 ± 0.0100 |" in to_markdown(TABLE_2, table)
    assert "deviation over 3 seeds. Intervals" in to_markdown(TABLE_2, table)


def test_an_undefined_value_is_an_empty_cell() -> None:
    of_grid = records()
    of_grid[0]["faithfulness.mask.dice.BV"] = None
    text = to_csv(make_frame(TABLE_1, of_grid, SETTINGS, read_paper_values(PAPER)))
    assert text.splitlines()[3].startswith("phantom,segguided,Ours (STD),BV,,,")


def test_csv_is_stable_and_has_four_decimals() -> None:
    shuffled = make_frame(TABLE_1, records(0, 1)[::-1], SETTINGS, read_paper_values(PAPER))
    assert to_csv(frame(1, 0, 1)) == to_csv(shuffled)
    assert ",0.8000,," in to_csv(frame(1))
    assert "-0.0000" not in to_csv(pd.DataFrame({"a": [-1e-9]}))


def test_markdown_is_aligned_and_explains_itself() -> None:
    text = to_markdown(TABLE_1, frame(1))
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 2 + 2 * 4  # macro, one a measure; then one a measure and dataset
    assert all(len({len(line) for line in lines}) == 1 for lines in blocks)
    words = " ".join(text.split())
    for note in (
        "easier than reality, not better",
        "paper: the published value; phantom: for other data",
        "phantom: 6 patients; ct: one patient, so there is none and nothing follows about other patients.",
        "phantom: none is best, for one training of a model says nothing about its next one. "
        "ct: none is best, for one test patient says nothing about others.",
        "One seed: each model was trained once.",
    ):
        assert note in words
    assert max(len(line) for line in text.splitlines()) < 140


def test_markdown_names_no_paper_where_there_is_none() -> None:
    settings = TableSettings.model_validate(
        {
            "datasets": [{"name": "ct", "classes": CLASSES["ct"]}],
            "models": [{"name": "spade", "title": "SPADE"}],
        }
    )
    of_grid = [record("ct", "spade"), record("ct", "real")]
    table = make_frame(TABLE_2, of_grid, settings, read_paper_values(PAPER))
    assert "published" not in to_markdown(TABLE_2, table)


def test_the_real_data_alone_make_a_table() -> None:
    settings = TableSettings.model_validate(
        {"datasets": [{"name": "ct", "classes": CLASSES["ct"]}], "models": []}
    )
    table = make_frame(TABLE_1, [record("ct", "real")], settings, {})
    assert list(table["model"].unique()) == [CEILING_ROW]
    assert "| 0.9000 " in to_markdown(TABLE_1, table)
    assert make_comparisons(TABLE_1, [record("ct", "real")], settings).empty


def test_pipe_table() -> None:
    assert pipe_table(["a", "bb"], [["ccc", ""]]).splitlines() == [
        "| a   | bb |",
        "|-----|----|",
        "| ccc |    |",
    ]


def test_paper_values_cover_every_cell_of_the_paper() -> None:
    values = read_paper_values(PAPER)
    models = ("controlnet", "spade", "segguided", "segguided-mat")
    expected = {
        (number, paper_column, model, column.measure.column)
        for number, layout in LAYOUTS.items()
        for paper_column in ("breast-mri", "ct-organ")
        for column in layout.columns
        if isinstance(column, Published)
        for model in (*models, *(["real"] if number == 2 else []))
    }
    assert set(values) == expected
    assert values[2, "ct-organ", "controlnet", "dice"] == 0


def without(key: str) -> Callable[[list[dict[str, Any]]], Any]:
    return lambda of_grid: of_grid[0].pop(key)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda of_grid: of_grid.pop(), "no record of ct × real; evaluate it"),
        (lambda of_grid: of_grid.pop(0), "no record of phantom × segguided"),
        (lambda of_grid: of_grid[0].update(model="spadee"), "phantom × spadee is not of this table"),
        (lambda of_grid: of_grid[1].update(seed=4), r"phantom × spade has seeds \[4\], but segguided \[0\]"),
        (without("faithfulness.mask.dice.BV"), r"segguided, seed 0, has no faithfulness\.mask\.dice\.BV"),
        (without("faithfulness.slices"), "has no faithfulness.slices"),
    ],
)
def test_refuses_incomplete_records(spoil: Callable[[list[dict[str, Any]]], Any], message: str) -> None:
    of_grid = records()
    spoil(of_grid)
    with pytest.raises(ValueError, match=message):
        make_frame(TABLE_1, of_grid, SETTINGS, {})


@pytest.mark.parametrize(("text", "message"), [("", "is damaged"), ("{}", "holds no"), ("[]", "holds no")])
def test_refuses_files_that_are_no_records(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.json {message}"):
        read_records([tmp_path / "a.json"])


def test_refuses_a_record_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_sealed(tmp_path / f"{name}.json", record("ct", "spade"))
    with pytest.raises(ValueError, match=r"b\.json: a second record of ct × spade × 0"):
        read_records([tmp_path / "a.json", tmp_path / "b.json"])


def test_refuses_paper_values_twice(tmp_path: Path) -> None:
    lines = PAPER.read_text().splitlines()
    (tmp_path / "paper.tsv").write_text("\n".join([*lines, lines[-1]]))
    with pytest.raises(ValueError, match=r"line 28: 2 × .* appears twice; keep one of the rows"):
        read_paper_values(tmp_path / "paper.tsv")


def test_markdown_shows_interval_ceiling_and_budget() -> None:
    first, second = to_markdown(TABLE_1, frame(1)).split("\n\n")[1:3]
    header, _, ours, spade, ceiling, *_ = first.splitlines()
    assert [cell.strip() for cell in header.split("|")[1:-1]] == [
        *("dataset", "model", "Dice(m_gen, m)", "ratio", "paper", "mean of patients", "− ceiling"),
        "training, TFLOP",
    ]
    assert [cell.strip() for cell in ours.split("|")[1:-1]] == [
        *("phantom", "Ours (STD)", "0.8000", "0.89", "0.9027", "0.800 [0.433, 0.892]"),
        *("−0.100 [−0.100, −0.100]", "4.2 (2.8 k images)"),
    ]
    assert spade.split("|")[3].strip() == "0.7000"
    assert "real (ceiling)" in ceiling
    assert "**" not in first
    assert "training" not in second


def test_numbers_have_a_real_minus_sign_and_no_negative_zero() -> None:
    assert number_text(-0.12345, 3, signed=True) == "−0.123"
    assert number_text(-1e-9, 2) == "0.00"
    assert number_text(0.5, 1, signed=True) == "+0.5"
    assert number_text(float("nan"), 1) == ""


@pytest.mark.parametrize(
    ("tflop", "heading", "text"),
    [
        ([4.2, 900.0], "training, TFLOP", "4.2"),
        ([2e6, 3e9], "training, EFLOP", "2.0"),
        ([0.0003, 1.0], "training, GFLOP", "0.3"),
        ([1500.0, 1200.0], "training, PFLOP", "1.5"),
    ],
)
def test_the_budgets_unit_fits_the_smallest(tflop: list[float], heading: str, text: str) -> None:
    table = distance_frame()
    by_model = dict(zip(("segguided", "spade"), tflop, strict=True))
    table["training_tflop"] = table["model"].map(by_model)
    column = make_sheet(TABLE_3, table).columns[-1]
    assert (column.heading, column.entries[0].text, column.entries[2].text) == (heading, text, "")


def shown(table: pd.DataFrame) -> dict[tuple[str, str], SheetColumn]:
    """The columns that a reader sees, by second heading and heading."""
    return {(column.second_heading, column.heading): column for column in make_sheet(TABLE_3, table).columns}


def titled() -> tuple[TableSettings, dict[str, str]]:
    titles = {"BV": "Blood vessels, all"}
    values = SETTINGS.model_dump()
    values["datasets"][0]["titles"] = titles
    return TableSettings.model_validate(values), titles


def test_readers_see_titles_of_classes_and_the_csv_has_names() -> None:
    settings, _ = titled()
    plain = frame(1)
    shown = settings.with_class_titles(plain)
    assert "BV" in plain["class"].tolist(), "what the CSV is written from stays"
    page = to_markdown(TABLE_1, shown)
    assert "Blood vessels, all" in page and "BV" not in page
    renamed = re.sub("-+", "-", page.replace("Blood vessels, all", "BV"))  # columns are as wide as titles
    assert renamed.split() == re.sub("-+", "-", to_markdown(TABLE_1, plain)).split()
    without = settings.with_class_titles(plain, lambda _title, name: name)
    pd.testing.assert_frame_equal(without, plain)
    assert settings.with_class_titles(frame(3).drop(columns="class")).columns.tolist()[0] == "dataset"


def test_a_note_names_a_class_by_its_title() -> None:
    settings, _ = titled()
    unseen = frame(1)
    unseen.loc[unseen["class"] == "BV", "dice_mask"] = np.nan
    (note,) = [
        n for n in make_sheet(TABLE_1, settings.with_class_titles(unseen)).notes if "no test mask" in n
    ]
    assert note.startswith("phantom: no test mask holds Blood vessels, all, so")


def test_table_3_has_the_reference_last_and_classes_of_diversity() -> None:
    table = distance_frame()
    macro = table[table["class"] == "macro"]
    assert list(macro["model"]) == ["segguided", "spade", REFERENCE_ROW] * 2
    assert list(macro["n_generated"]) == [24, 24, 12] * 2
    columns = shown(table)
    frechet = columns["unseen features", "Fréchet"]
    assert [entry.text for entry in frechet.entries[:3]] == ["0.8", "0.7", "0.9"]
    assert [entry.place for entry in frechet.entries] == [None] * 6, "a distance of sets has no patients"
    kernel = columns["segmenter's features", "kernel × 1,000"]
    assert (kernel.entries[0].text, kernel.entries[0].small) == ("8.000", "± 2.000")
    assert [entry.text for entry in columns["", "diversity"].entries[:3]] == ["0.801", "0.701", ""]
    assert [entry.text for entry in columns["", "high power"].entries[:3]] == ["0.80", "0.70", "0.90"]
    assert ("unseen features", "coverage") in columns
    assert ("segmenter's features", "coverage") not in columns
    assert table["coverage_segmenter"].notna().any()
    assert "diversity per class, phantom:" in to_markdown(TABLE_3, table)


def test_the_power_of_high_frequencies_ranks_no_model() -> None:
    """More than real images have is no better than less."""
    table = frame(3, 0, 1, 2)
    assert "high_power_standing" not in table
    assert {entry.place for entry in shown(table)["", "high power"].entries} == {None}


def test_table_3_has_intervals_of_what_has_bounds() -> None:
    columns = shown(distance_frame())
    assert columns["", "diversity"].entries[0].small.startswith("[0.")
    assert columns["", "spectrum, dB"].entries[0].small == "(0.8…0.8)", "decibels have no bounds"
    assert columns["", "diversity"].entries[3].small == "", "one value of one patient"


def test_table_3_over_seeds() -> None:
    table = distance_frame(0, 1, 2)
    assert table["frechet_segmenter"][0] == pytest.approx(0.811)
    assert table["frechet_segmenter_std"][0] == pytest.approx(0.01)
    assert table["kernel_subset_std_segmenter"][0] == pytest.approx(0.002)
    assert shown(table)["segmenter's features", "Fréchet"].entries[0].small == "± 0.010"
    assert "standard deviation over 3 seeds" in to_markdown(TABLE_3, table)


def test_table_3_cautions() -> None:
    words = " ".join(to_markdown(TABLE_3, distance_frame()).split())
    assert "None of these sees anatomy" in words
    assert "no model is trained through them" in words
    assert "In phantom, ct a set has no more images than features" in words
    assert "Few images bias the Fréchet distance upward" in words
    assert "5th nearest neighbour. Generated and real images: phantom: 24 and 24; ct: 24 and 24." in words
    table = distance_frame()
    table[["n_features_unseen", "n_features_segmenter"]] = 8
    assert "no more images than features" not in to_markdown(TABLE_3, table)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_csv_alone_gives_the_same_sheet(number: int, tmp_path: Path) -> None:
    table = frame(number, 0, 1)
    table["dataset"] = table["dataset"].replace("ct", "NA")  # a name that pandas likes to read as missing
    (tmp_path / "table.csv").write_text(to_csv(table, decimals=None))
    assert make_sheet(LAYOUTS[number], read_csv(tmp_path / "table.csv")) == make_sheet(LAYOUTS[number], table)


def test_picture_and_markdown_round_once(tmp_path: Path) -> None:
    """From four decimals in the CSV, 0.87949 would be 0.880 in the picture and 0.879 in the Markdown."""
    column = "dice_mask_patients_mean"
    table = frame(1)
    rng = np.random.default_rng(0)
    table[column] = np.r_[0.87949, 0.2345 - 1e-9, 0.5 + rng.random(len(table) - 2) / 2]
    (tmp_path / "table.csv").write_text(to_csv(table, decimals=None))
    entries = {
        shown.heading: shown.entries
        for shown in make_sheet(TABLE_1, read_csv(tmp_path / "table.csv")).columns[3:4]
    }
    assert entries == {shown.heading: shown.entries for shown in make_sheet(TABLE_1, table).columns[3:4]}
    macro = table.loc[table["class"] == "macro", column]
    for entry, value in zip(entries["mean of patients"], macro, strict=True):
        assert abs(float(entry.text) - value) <= 0.0005


def test_the_script_writes_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []
    for i, of_grid in enumerate(records()):
        paths.append(tmp_path / f"{i}.json")
        write_sealed(paths[-1], of_grid)
    csv, markdown = tmp_path / "table2.csv", tmp_path / "table2.md"
    command = ["make_table.py", "--table", "2", "--records", *map(str, paths), "--paper", str(PAPER)]
    command += ["--settings", SETTINGS.to_json(), "--csv", str(csv), "--markdown", str(markdown)]
    command += ["--comparisons", str(tmp_path / "pairs.csv")]
    call(script.make_table, script.command_line(), words=command[1:])
    assert csv.read_text() == to_csv(frame(2), decimals=None)
    pairs = read_csv(tmp_path / "pairs.csv")
    assert pairs["verdict"].tolist() == [
        "segguided is better, of these two trained models alone",
        "one patient: says nothing about others",
    ]
    assert markdown.read_text() == to_markdown(TABLE_2, frame(2))
    command[command.index("2")] = "3"
    call(script.make_table, script.command_line(), words=command[1:])
    assert csv.read_text() == to_csv(distance_frame(), decimals=None)
    assert markdown.read_text() == to_markdown(TABLE_3, distance_frame())
