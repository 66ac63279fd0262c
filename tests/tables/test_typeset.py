"""Table pictures: nothing clipped or overlapping at any width, aligned decimals, bytes that repeat."""

import itertools
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

import draw_table as script
from segguided.cli import call
from segguided.evaluation.csv_files import to_csv
from segguided.tables.entries import Entry, SheetColumn
from segguided.tables.layouts import LAYOUTS
from segguided.tables.sheet import Sheet, SheetRow, make_sheet
from segguided.tables.typeset import NOTE, PLAIN, as_printed, draw_sheet, width_of, wrap
from support.table_records import SETTINGS, frame

MODELS = {"std": "Ours (STD)", "mat": "Ours (MAT)", "spade": "SPADE", "cn": "ControlNet", "u": "u"}
LONG = "A title that costs $5 and goes on for ever, beyond what any printed table has room for"


def table(number: int, titles: dict[str, str], *seeds: int) -> pd.DataFrame:
    """The frame of test_tables with its first model repeated under other names."""
    of_models = frame(number, *seeds)
    parts = []
    for _, here in of_models.groupby("dataset", sort=False):
        first, rest = here[here["model"] == "segguided"], here[~here["model"].isin(["segguided", "spade"])]
        copies = [first.assign(model=model, title=title) for model, title in titles.items()]
        parts += [*copies, rest]
    return pd.concat(parts, ignore_index=True)


def texts(figure: Figure) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Drawn texts with their boxes in pixels: left, bottom, right, top."""
    figure.draw_without_rendering()
    visible = [t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_text()]
    return [(t.get_text(), tuple(t.get_window_extent().extents)) for t in visible]


def rules(figure: Figure) -> list[tuple[float, float, float]]:
    """Rules as left, right and height, in pixels."""
    lines = [line for line in figure.findobj(Line2D) if isinstance(line, Line2D)]
    boxes = [line.get_window_extent().extents for line in lines]
    return [(x0, x1, (y0 + y1) / 2) for x0, y0, x1, y1 in boxes]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("titles", [MODELS, {"a": "b"}, {"a": LONG}])
def test_nothing_is_clipped_overlaps_or_leaves_the_rules(
    number: int, seeds: tuple[int, ...], titles: dict[str, str]
) -> None:
    figure = draw_sheet(make_sheet(LAYOUTS[number], table(number, titles, *seeds)))
    placed_texts, lines = texts(figure), rules(figure)
    left, right = min(line[0] for line in lines), max(line[1] for line in lines)
    assert left > 10
    assert right < figure.bbox.width - 10
    for text, (x0, y0, x1, y1) in placed_texts:
        assert x0 >= left - 2, text
        assert x1 <= right + 2, text
        assert y0 > 0, text
        assert y1 < figure.bbox.height, text
    for (a, box_a), (b, box_b) in itertools.combinations(placed_texts, 2):
        apart = box_a[2] <= box_b[0] or box_b[2] <= box_a[0] or box_a[3] <= box_b[1] or box_b[3] <= box_a[1]
        assert apart, (a, b)


def test_numbers_of_a_column_end_below_each_other() -> None:
    column = SheetColumn("distance", (Entry("12.50", "± 0.1", 1), Entry("−3.25"), Entry("100.75", "", 2)))
    rows = tuple(SheetRow("d", model) for model in "abc")
    figure = draw_sheet(Sheet(3, "t", rows, (column,), ()))
    ends = [box[2] for text, box in texts(figure) if text in {"12.50", "−3.25", "100.75"}]
    assert max(ends) - min(ends) < 2
    weights = {t.get_text(): t.get_fontproperties().get_weight() for t in figure.findobj(Text)}
    assert weights["12.50"] == "bold"
    assert weights["100.75"] == "normal"
    (underlined,) = [box for text, box in texts(figure) if text == "100.75"]
    x0, y0, x1, y1 = underlined
    lines = [(left - x0, right - x1, y - (y0 + y1) / 2) for left, right, y in rules(figure)]
    assert any(abs(left) < 3 and abs(right) < 3 and -20 < y < 0 for left, right, y in lines)


def test_only_the_masks_of_the_paper_are_mathematics() -> None:
    assert as_printed("Dice(m_gen, m)") == r"Dice($m_{\mathrm{gen}}$, $m$)"
    assert as_printed("m: input; from m_real") == r"$m$: input; from $m_{\mathrm{real}}$"
    assert as_printed("some form_gen, $5") == r"some form_gen, \$5"
    assert width_of(as_printed("$5"), PLAIN) == pytest.approx(width_of("55", PLAIN), rel=0.05)


def test_wrapped_lines_fit_and_lose_no_word() -> None:
    text = "Dice of m_gen is pooled over all pixels of the set and then averaged over classes"
    lines = wrap(text, 1.5, NOTE, indent=0.5)
    assert " ".join(lines) == text
    assert len(lines) > 2
    assert all(width_of(as_printed(line), NOTE) <= 1.5 for line in lines)
    assert width_of(as_printed(lines[0]), NOTE) <= 1
    assert wrap("incomprehensibilities", 0.1, NOTE) == ["incomprehensibilities"]


def test_the_rule_draws_from_the_csv_alone_and_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "table1.csv").write_text(to_csv(frame(1)))
    for name in ("first", "second"):
        command = ["draw_table.py", "--table", "1", "--csv", str(tmp_path / "table1.csv")]
        command += ["--settings", SETTINGS.to_json()]
        command += ["--png", str(tmp_path / f"{name}.png"), "--pdf", str(tmp_path / f"{name}.pdf")]
        call(script.draw_table, script.command_line(), words=command[1:])
    for suffix in (".png", ".pdf"):
        assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()
