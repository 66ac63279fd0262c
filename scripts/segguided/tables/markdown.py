"""A table as Markdown that also reads well in a terminal: aligned pipes, notes below."""

import textwrap
from collections.abc import Sequence

import pandas as pd

from segguided.config.reserved import MACRO
from segguided.shown import markdown as escaped
from segguided.tables.columns import Measure
from segguided.tables.entries import Entry, SheetColumn
from segguided.tables.layouts import Layout
from segguided.tables.patient_columns import PatientsMean
from segguided.tables.pipes import pipe_table
from segguided.tables.sheet import Sheet, groups, make_sheet

LINE_WIDTH = 110
MARKS = {1: "**", 2: "_"}


def to_markdown(layout: Layout, frame: pd.DataFrame) -> str:
    """The whole page: the sheet's tables, then values per class, then notes.

    Markdown cannot underline, so the second best is in italics.
    """
    sheet = make_sheet(layout, frame)
    parts = [f"## Table {layout.number}: {layout.title}", *_sheet_tables(sheet)]
    for measure in layout.class_measures:
        for dataset in frame["dataset"].unique():
            parts += [f"{measure.label} per class, {dataset}:", _class_table(frame, dataset, measure)]
    notes = [
        textwrap.fill(
            f"- {note.replace('underlined', 'in italics')}",
            LINE_WIDTH,
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
        for note in sheet.notes
    ]
    return "\n\n".join([*parts, "\n".join(notes)]) + "\n"


def _sheet_tables(sheet: Sheet) -> list[str]:
    """A pipe table for each second heading; columns without a second heading are in the first table."""
    grouped = groups(sheet.columns)
    tables = [members for second_heading, members in grouped if second_heading] or [[]]
    for second_heading, members in grouped:
        if not second_heading:
            tables[0] = [*tables[0], *members]
    return [_pipe(sheet, columns) for columns in tables]


def _pipe(sheet: Sheet, columns: Sequence[SheetColumn]) -> str:
    """The first column below a second heading has both headings, the others their own."""
    headings = [_heading(column) if i == 0 else column.heading for i, column in enumerate(columns)]
    rows = [
        [escaped(row.dataset), escaped(row.model), *(_entry(column.entries[i]) for column in columns)]
        for i, row in enumerate(sheet.rows)
    ]
    return pipe_table(["dataset", "model", *headings], [row for row in rows if any(row[2:])])


def _heading(column: SheetColumn) -> str:
    """A second heading says alone that a mean over classes is below it."""
    if column.second_heading and column.heading != MACRO:
        return f"{column.second_heading}: {column.heading}"
    return column.second_heading or column.heading


def _class_table(frame: pd.DataFrame, dataset: str, measure: Measure | PatientsMean) -> str:
    """Rows: models; columns: classes."""
    class_rows = frame[(frame["dataset"] == dataset) & (frame["class"] != MACRO)]
    classes = list(class_rows["class"].unique())
    several_seeds = bool(class_rows["seeds"].max() > 1)
    rows = []
    for _, model_rows in class_rows.groupby("model", sort=False):
        entries = [measure.entry(row, several_seeds=several_seeds) for _, row in model_rows.iterrows()]
        cells = [_entry(entry) for entry in entries]
        if any(cells):
            rows.append([escaped(str(model_rows["title"].iloc[0])), *cells])
    return pipe_table(["model", *map(escaped, classes)], rows)


def _entry(entry: Entry) -> str:
    mark = MARKS.get(entry.place or 0, "")
    return " ".join(part for part in (f"{mark}{entry.text}{mark}", entry.small) if part)
