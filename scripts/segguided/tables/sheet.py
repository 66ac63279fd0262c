"""What a reader sees of a table: texts, ranks, notes. Markdown and the picture are made from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from segguided.config.reserved import MACRO
from segguided.tables.entries import SheetColumn
from segguided.tables.layouts import Layout

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class SheetRow:
    """What a row is about, as the reader sees it."""

    dataset: str
    model: str


@dataclass(frozen=True)
class Sheet:
    """A table as it is read."""

    number: int
    title: str
    rows: tuple[SheetRow, ...]
    columns: tuple[SheetColumn, ...]
    notes: tuple[str, ...]


def make_sheet(layout: Layout, frame: pd.DataFrame) -> Sheet:
    """The sheet of a table's frame; where classes have rows, of the mean over classes alone."""
    visible = frame[frame["class"] == MACRO].reset_index(drop=True) if layout.by_class else frame
    columns: list[SheetColumn] = []
    column_notes: dict[str, None] = {}  # each once, in order
    for column in layout.columns:
        shown = column.shown(visible, layout.real_row)
        columns += shown
        if shown and column.note:
            column_notes[column.note] = None
    footnotes = _footnotes(visible)
    rows = tuple(
        SheetRow(str(row["dataset"]), f"{row['title']}{footnotes.get(row['note'], '')}")
        for _, row in visible.iterrows()
    )
    of_rows = [f"{mark} {note[0].upper()}{note[1:]}." for note, mark in footnotes.items()]
    notes = (*of_rows, *_layout_notes(layout, frame), *column_notes)
    return Sheet(layout.number, layout.title, rows, tuple(columns), notes)


def _footnotes(visible: pd.DataFrame) -> dict[str, str]:
    """The mark of each note of a row: ¹ for the first, ² for the second; equal notes share it."""
    notes = visible["note"].dropna().unique()
    return {str(note): str(number).translate(SUPERSCRIPT) for number, note in enumerate(notes, start=1)}


def _layout_notes(layout: Layout, frame: pd.DataFrame) -> list[str]:
    texts = []
    for note in layout.notes:
        texts += [note] if isinstance(note, str) else note(frame)
    return texts


def groups(columns: Sequence[SheetColumn]) -> list[tuple[str, list[SheetColumn]]]:
    """Neighbouring columns that share a second heading, with that heading."""
    grouped = groupby(columns, key=lambda column: column.second_heading)
    return [(second_heading, list(members)) for second_heading, members in grouped]
