"""A new column of a table is one entry of its layout: CSV, Markdown and picture have it, the best in bold."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from matplotlib.text import Text

from segguided.evaluation.csv_files import to_csv
from segguided.tables.columns import Fact, Measure
from segguided.tables.frame import make_frame
from segguided.tables.layouts import LAYOUTS, TABLE_1, TABLE_2, TABLE_3, Layout
from segguided.tables.markdown import to_markdown
from segguided.tables.sheet import make_sheet
from segguided.tables.typeset import draw_sheet
from support.table_records import CLASSES, SETTINGS, records

VALUES = {"segguided": 0.25, "spade": 0.75, "real": 0.5}
NOTE = "recall: share of the mask's pixels that are found."
RECALL = Measure("recall", "toy.recall", heading="recall", decimals=2, better="higher", note=NOTE)


def with_entry(layout: Layout, entry: Measure | Fact) -> Layout:
    """The layout with one more entry, before those on training."""
    return replace(layout, columns=(entry, *layout.columns))


def toy_records(*seeds: int) -> list[dict[str, Any]]:
    """Records that also hold a recall, a hundredth more for each seed, of the whole and of each class."""
    of_grid = records(*seeds)
    for record in of_grid:
        recall = VALUES[record["model"]] + 0.01 * record["seed"]
        for name in ("", ".macro", *(f".{name}" for name in CLASSES[record["dataset"]])):
            record |= {f"toy.recall{name}": recall, f"toy.spread{name}": 0.02, "toy.pixels": 12345}
    return of_grid


def toy_frame(layout: Layout, *seeds: int) -> pd.DataFrame:
    return make_frame(layout, toy_records(*seeds), SETTINGS, {})


def cells(markdown: str, heading: str) -> list[str]:
    """The cells below a heading of the page's first table, without its rule."""
    lines = [line.split("|")[1:-1] for line in markdown.split("\n\n")[1].splitlines()]
    place = [text.strip() for text in lines[0]].index(heading)
    return [line[place].strip() for line in lines[2:]]


def weights(layout: Layout, frame: pd.DataFrame) -> dict[str, str]:
    """The weight of each text of the picture."""
    texts = [text for text in draw_sheet(make_sheet(layout, frame)).findobj(Text) if isinstance(text, Text)]
    return {text.get_text(): str(text.get_fontproperties().get_weight()) for text in texts}


@pytest.mark.parametrize("number", sorted(LAYOUTS))
@pytest.mark.parametrize(
    ("better", "best", "second"), [("higher", "0.75", "0.25"), ("lower", "0.25", "0.75")]
)
def test_one_entry_gives_csv_markdown_and_picture(number: int, better: Any, best: str, second: str) -> None:
    layout = with_entry(LAYOUTS[number], replace(RECALL, better=better))
    frame = toy_frame(layout)
    header, first, *_ = to_csv(frame, layout.csv_decimals).splitlines()
    assert dict(zip(header.split(","), first.split(","), strict=True))["recall"].startswith("0.2500")
    markdown = to_markdown(layout, frame)
    expected = [f"**{text}**" if text == best else text for text in ("0.25", "0.75")]
    assert [text for text in cells(markdown, "recall") if text] == expected * len(CLASSES)
    assert NOTE in " ".join(markdown.split())
    weight_of = weights(layout, frame)
    assert (weight_of["recall"], weight_of[best], weight_of[second]) == ("normal", "bold", "normal")
    assert any(NOTE.split(":", maxsplit=1)[0].capitalize() in text for text in weight_of)


@pytest.mark.parametrize("number", sorted(LAYOUTS))
def test_without_the_entry_the_table_has_no_such_column(number: int) -> None:
    frame = toy_frame(LAYOUTS[number])
    assert "recall" not in frame.columns
    assert "recall" not in to_markdown(LAYOUTS[number], frame)


def test_a_column_may_hold_the_real_images_which_take_no_place() -> None:
    layout = with_entry(TABLE_3, replace(RECALL, real_key="toy.recall", better="higher"))
    texts = cells(to_markdown(layout, toy_frame(layout)), "recall")
    assert texts == ["0.25", "**0.75**", "0.50"] * len(CLASSES)


def test_a_column_may_have_a_value_for_each_class() -> None:
    key = "toy.recall.{name}"
    recall = replace(RECALL, key=key, real_key=key, by_class=True)
    layout = with_entry(TABLE_2, recall)
    frame = toy_frame(layout)
    assert cells(to_markdown(layout, frame), "recall")[1] == "**0.75**"
    assert "recall per class, phantom:" in to_markdown(layout, frame)
    assert frame.loc[frame["class"] == "bone", "recall"].tolist() == [0.25, 0.75, 0.5]


def test_a_column_without_classes_is_in_the_macro_rows_alone() -> None:
    layout = with_entry(TABLE_1, RECALL)
    frame = toy_frame(layout)
    assert frame.loc[frame["class"] != "macro", "recall"].isna().all()
    assert "recall per class" not in to_markdown(layout, frame)


def test_deviations_are_over_seeds_or_else_the_records_own() -> None:
    recall = replace(RECALL, deviation_column="recall_spread", deviation_key="toy.spread")
    layout = with_entry(TABLE_3, recall)
    assert cells(to_markdown(layout, toy_frame(layout)), "recall")[1] == "**0.75** ± 0.02"
    assert cells(to_markdown(layout, toy_frame(layout, 0, 1, 2)), "recall")[1] == "**0.76** ± 0.01"


def test_a_column_without_a_heading_is_in_the_csv_alone() -> None:
    layout = with_entry(TABLE_1, replace(RECALL, heading=""))
    frame = toy_frame(layout)
    assert frame["recall"].notna().any()
    assert "recall" not in to_markdown(layout, frame)


def test_a_fact_is_a_whole_number_with_commas() -> None:
    layout = with_entry(TABLE_3, Fact("pixels", "toy.pixels", heading="pixels"))
    frame = toy_frame(layout)
    assert frame["pixels"].tolist() == [12345] * 6
    assert cells(to_markdown(layout, frame), "pixels") == ["12,345"] * 6


def test_a_record_without_the_new_key_is_refused() -> None:
    layout = with_entry(TABLE_3, RECALL)
    with pytest.raises(ValueError, match=r"has no toy\.recall; .* evaluate again"):
        make_frame(layout, records(), SETTINGS, {})
