"""A table's picture as a paper prints it: rules above, below and between, aligned decimals, small notes.

All lengths are inches, y downwards from the top.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from segguided.figures.blocks import DPI
from segguided.figures.fonts import families
from segguided.tables.entries import Entry, SheetColumn
from segguided.tables.sheet import Sheet, groups

MARGIN = 0.15
INDENT = 0.12  # of models below their dataset
COLUMN_GAP = 0.24
SMALL_GAP = 0.06  # between a number and what is small beside it
MIN_WIDTH = 4.8
LINE = 0.19  # height of a row
NOTE_LINE = 0.135
PAD = 0.06  # around a rule
BODY = 10.0  # points, as all sizes of letters and rules
SMALL = 7.5
THICK = 1.0  # the rules of LaTeX's booktabs
MEDIUM = 0.6
THIN = 0.4
RULER = RendererAgg(1, 1, DPI)  # letters fitted to pixels, which are wider than those of a PDF
GREY = "#666666"
FAMILY = "STIXGeneral"
MATH = "stix"


@dataclass(frozen=True)
class Style:
    """How a text is typeset."""

    size: float = BODY
    weight: str = "normal"
    style: Literal["normal", "italic"] = "normal"
    color: str = "black"

    def font(self, text: str) -> FontProperties:
        """The font in matplotlib's terms."""
        return FontProperties(
            family=families(text, FAMILY),
            math_fontfamily=MATH,
            size=self.size,
            weight=self.weight,
            style=self.style,
        )


PLAIN = Style()
BOLD = Style(weight="bold")
ITALIC = Style(style="italic")
MINOR = Style(size=SMALL, color=GREY)
NOTE = Style(size=SMALL)


@cache
def width_of(text: str, style: Style) -> float:
    """Width of a line of text; between dollars it is mathematics."""
    is_math = is_math_text(text)
    shown = text if is_math else text.replace(r"\$", "$")
    width, _, _ = RULER.get_text_width_height_descent(shown, style.font(text), is_math)
    return float(width) / DPI


def as_printed(text: str) -> str:
    """The text with the symbols m, m_gen and m_real in italics; nothing else is read as mathematics."""
    text = text.replace("$", r"\$")
    text = re.sub(r"\bm_(gen|real)\b", r"$m_{\\mathrm{\1}}$", text)
    return re.sub(r"(?<![\w$\\])m(?![\w$])", "$m$", text)


def wrap(text: str, width: float, style: Style, indent: float = 0) -> list[str]:
    """Lines no wider than `width`, the first by `indent` less; a longer word has a line of its own."""
    space = width_of("n n", style) - width_of("nn", style)
    lines = [""]
    room = width - indent
    for word in text.split():
        needed = width_of(as_printed(word), style)
        if lines[-1] and needed > room:
            lines.append("")
            room = width
        lines[-1] = f"{lines[-1]} {word}".strip()
        room -= needed + space
    return lines


@dataclass(frozen=True)
class ColumnBox:
    """A column's box on the page: entries are in the middle of it, their numbers flush right at `anchor`."""

    column: SheetColumn
    left: float
    width: float
    main: float  # width of the widest number
    small: float  # width of the widest text beside a number

    @property
    def centre(self) -> float:
        """Middle of the column."""
        return self.left + self.width / 2

    @property
    def anchor(self) -> float:
        """Right end of the numbers; small texts begin behind it."""
        return self.centre + (self.main - self.small) / 2


def place_columns(columns: Sequence[SheetColumn], left: float) -> list[ColumnBox]:
    """The columns side by side from `left`, wide enough for entries, headings and second headings."""
    boxes: list[ColumnBox] = []
    for second_heading, members in groups(columns):
        widths = [_widths(column) for column in members]
        total = sum(width for width, _, _ in widths) + COLUMN_GAP * (len(members) - 1)
        missing = max(0.0, width_of(as_printed(second_heading), PLAIN) - total) / len(members)
        for column, (width, main, small) in zip(members, widths, strict=True):
            boxes.append(ColumnBox(column, left, width + missing, main, small))
            left += width + missing + COLUMN_GAP
    return boxes


def _widths(column: SheetColumn) -> tuple[float, float, float]:
    """Width of the column, of its widest number and of its widest small text."""
    main = max(width_of(entry.text, _style_of(entry)) for entry in column.entries)
    small = max(width_of(entry.small, MINOR) for entry in column.entries)
    small += SMALL_GAP if small else 0
    return max(main + small, width_of(as_printed(column.heading), PLAIN)), main, small


def _style_of(entry: Entry) -> Style:
    return BOLD if entry.place == 1 else PLAIN


class _Pen:
    """Draws downwards; the page ends where the drawing ends."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.y = MARGIN
        self.texts: list[tuple[float, float, str, Style, str]] = []
        self.rules: list[tuple[float, float, float, float]] = []

    def text(self, x: float, text: str, style: Style = PLAIN, ha: str = "left") -> None:
        """Write text on the line that begins at the present height."""
        self.texts.append((x, self.y + LINE * 0.72, as_printed(text), style, ha))

    def rule(self, points: float, left: float = MARGIN, right: float | None = None, below: float = 0) -> None:
        """Draw a horizontal rule at the present height, or `below` it."""
        self.rules.append((left, self.width - MARGIN if right is None else right, self.y + below, points))

    def figure(self) -> Figure:
        """The page with all texts and rules."""
        height = self.y + MARGIN
        figure = Figure(figsize=(self.width, height), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        for x, y, text, style, ha in self.texts:
            figure.text(
                x / self.width, 1 - y / height, text,
                fontproperties=style.font(text), color=style.color, ha=ha, va="baseline",
            )  # fmt: skip
        for left, right, y, points in self.rules:
            line = Line2D(
                [left / self.width, right / self.width], [1 - y / height] * 2, solid_capstyle="butt"
            )
            line.set(color="black", linewidth=points, transform=figure.transFigure)
            figure.add_artist(line)
        return figure


def draw_sheet(sheet: Sheet) -> Figure:
    """The table: caption, headings, a group of rows for each dataset, notes."""
    labels = [INDENT + width_of(as_printed(row.model), PLAIN) for row in sheet.rows]
    numbers_left = MARGIN + max(*labels, *(width_of(row.dataset, ITALIC) for row in sheet.rows)) + COLUMN_GAP
    boxes = place_columns(sheet.columns, numbers_left)
    right = boxes[-1].left + boxes[-1].width if boxes else numbers_left
    pen = _Pen(max(right + MARGIN, MIN_WIDTH))
    _caption(pen, sheet)
    _headings(pen, boxes)
    _body(pen, sheet, boxes)
    for line in _note_lines(sheet.notes, pen.width - 2 * MARGIN):
        pen.text(MARGIN, line, NOTE)
        pen.y += NOTE_LINE
    return pen.figure()


def _caption(pen: _Pen, sheet: Sheet) -> None:
    label = f"Table {sheet.number}."
    indent = width_of(label, BOLD) + 0.06
    pen.text(MARGIN, label, BOLD)
    for i, line in enumerate(wrap(_capitalised(sheet.title), pen.width - 2 * MARGIN, PLAIN, indent)):
        pen.text(MARGIN + (0 if i else indent), line)
        pen.y += LINE
    pen.y += PAD


def _headings(pen: _Pen, boxes: Sequence[ColumnBox]) -> None:
    pen.rule(THICK)
    pen.y += PAD
    if any(box.column.second_heading for box in boxes):
        _second_headings(pen, boxes)
        pen.y += LINE + PAD
    pen.text(MARGIN, "Model")
    for box in boxes:
        pen.text(box.centre, box.column.heading, ha="center")
    pen.y += LINE + PAD
    pen.rule(MEDIUM)
    pen.y += PAD


def _second_headings(pen: _Pen, boxes: Sequence[ColumnBox]) -> None:
    for second_heading, members in groupby(boxes, key=lambda box: box.column.second_heading):
        spanned = list(members)
        begin = spanned[0].left
        end = spanned[-1].left + spanned[-1].width
        pen.text((begin + end) / 2, second_heading, ha="center")
        if second_heading:
            pen.rule(THIN, begin, end, below=LINE + PAD / 2)


def _body(pen: _Pen, sheet: Sheet, boxes: Sequence[ColumnBox]) -> None:
    dataset = None
    for i, row in enumerate(sheet.rows):
        if row.dataset != dataset:
            pen.y += PAD if dataset is not None else 0
            dataset = row.dataset
            pen.text(MARGIN, row.dataset, ITALIC)
            pen.y += LINE
        pen.text(MARGIN + INDENT, row.model)
        for box in boxes:
            _entry(pen, box, box.column.entries[i])
        pen.y += LINE
    pen.y += PAD
    pen.rule(THICK)
    pen.y += PAD


def _entry(pen: _Pen, box: ColumnBox, entry: Entry) -> None:
    pen.text(box.anchor, entry.text, _style_of(entry), ha="right")
    pen.text(box.anchor + SMALL_GAP, entry.small, MINOR)
    if entry.place == 2:
        width = width_of(entry.text, PLAIN)
        pen.rule(MEDIUM, box.anchor - width, box.anchor, below=LINE * 0.86)


def _note_lines(notes: Sequence[str], width: float) -> Iterator[str]:
    for note in notes:
        yield from wrap(note if note.startswith("m:") else _capitalised(note), width, NOTE)


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]
