"""A table's picture as a paper prints it: rules above, below and between, aligned decimals, notes in small.

All lengths are inches, y downwards from the top.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
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

MARGIN, INDENT, COLUMN_GAP, SMALL_GAP, MIN_WIDTH = 0.15, 0.12, 0.24, 0.06, 4.8
LINE, NOTE_LINE, PAD = 0.19, 0.135, 0.06  # PAD: around a rule
BODY, SMALL = 10.0, 7.5  # points
THICK, MEDIUM, THIN = 1.0, 0.6, 0.4  # points, as LaTeX's booktabs
RULER = RendererAgg(1, 1, DPI)  # letters fitted to pixels, which are wider than those of a PDF
GREY = "#666666"
FAMILY, MATH = "STIXGeneral", "stix"


@dataclass(frozen=True)
class Style:
    """How a text is set."""

    size: float = BODY
    weight: str = "normal"
    style: Literal["normal", "italic"] = "normal"
    color: str = "black"

    def font(self, text: str) -> FontProperties:
        """What matplotlib needs to know to set this text."""
        return FontProperties(
            family=families(text, FAMILY),
            math_fontfamily=MATH,
            size=self.size,
            weight=self.weight,
            style=self.style,
        )


PLAIN, BOLD, ITALIC = Style(), Style(weight="bold"), Style(style="italic")
MINOR, NOTE = Style(size=SMALL, color=GREY), Style(size=SMALL)


@cache
def width_of(text: str, style: Style) -> float:
    """Width of a line of text, mathematics between dollars."""
    is_math = is_math_text(text)
    shown = text if is_math else text.replace(r"\$", "$")
    width, _, _ = RULER.get_text_width_height_descent(shown, style.font(text), is_math)
    return float(width) / DPI


def as_printed(text: str) -> str:
    """The symbols m, m_gen and m_real in italics; nothing else is read as mathematics."""
    text = text.replace("$", r"\$")
    text = re.sub(r"\bm_(gen|real)\b", r"$m_{\\mathrm{\1}}$", text)
    return re.sub(r"(?<![\w$\\])m(?![\w$])", "$m$", text)


def wrap(text: str, width: float, style: Style, indent: float = 0) -> list[str]:
    """Lines no wider than `width`, the first by `indent` less; a longer word keeps its own line."""
    space = width_of("n n", style) - width_of("nn", style)
    lines, room = [""], width - indent
    for word in text.split():
        needed = width_of(as_printed(word), style)
        if lines[-1] and needed > room:
            lines.append("")
            room = width
        lines[-1] = f"{lines[-1]} {word}".strip()
        room -= needed + space
    return lines


@dataclass(frozen=True)
class Block:
    """A column's place: entries stand in the middle of it, their numbers flush right at `anchor`."""

    column: SheetColumn
    left: float
    width: float
    main: float
    small: float

    @property
    def centre(self) -> float:
        """Middle of the column."""
        return self.left + self.width / 2

    @property
    def anchor(self) -> float:
        """Right end of the numbers; what stands small begins behind it."""
        return self.centre + (self.main - self.small) / 2


def place_columns(columns: Sequence[SheetColumn], left: float) -> list[Block]:
    """The columns side by side from `left`, wide enough for entries, headings and the headings over them."""
    blocks: list[Block] = []
    for over, members in groups(columns):
        widths = [_widths(column) for column in members]
        total = sum(width for width, _, _ in widths) + COLUMN_GAP * (len(members) - 1)
        missing = max(0.0, width_of(as_printed(over), PLAIN) - total) / len(members)
        for column, (width, main, small) in zip(members, widths, strict=True):
            blocks.append(Block(column, left, width + missing, main, small))
            left += width + missing + COLUMN_GAP
    return blocks


def _widths(column: SheetColumn) -> tuple[float, float, float]:
    main = max(width_of(entry.text, _style_of(entry)) for entry in column.entries)
    small = max(width_of(entry.small, MINOR) for entry in column.entries)
    small += SMALL_GAP if small else 0
    return max(main + small, width_of(as_printed(column.heading), PLAIN)), main, small


def _style_of(entry: Entry) -> Style:
    return BOLD if entry.place == 1 else PLAIN


class _Pen:
    """Draws downwards; the page is cut to what was drawn."""

    def __init__(self, width: float) -> None:
        self.width, self.y = width, MARGIN
        self.texts: list[tuple[float, float, str, Style, str]] = []
        self.rules: list[tuple[float, float, float, float]] = []

    def text(self, x: float, text: str, style: Style = PLAIN, ha: str = "left") -> None:
        """Text on the line that begins at the present height."""
        self.texts.append((x, self.y + LINE * 0.72, as_printed(text), style, ha))

    def rule(self, points: float, left: float = MARGIN, right: float | None = None, below: float = 0) -> None:
        """A horizontal rule at the present height, or so far below it."""
        self.rules.append((left, self.width - MARGIN if right is None else right, self.y + below, points))

    def figure(self) -> Figure:
        """All of it on a page."""
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
    first = MARGIN + max(*labels, *(width_of(row.dataset, ITALIC) for row in sheet.rows)) + COLUMN_GAP
    blocks = place_columns(sheet.columns, first)
    right = blocks[-1].left + blocks[-1].width if blocks else first
    pen = _Pen(max(right + MARGIN, MIN_WIDTH))
    _caption(pen, sheet)
    _headings(pen, blocks)
    _body(pen, sheet, blocks)
    for line in _note_lines(sheet.notes, pen.width - 2 * MARGIN):
        pen.text(MARGIN, line, NOTE)
        pen.y += NOTE_LINE
    return pen.figure()


def _caption(pen: _Pen, sheet: Sheet) -> None:
    label = f"Table {sheet.number}."
    indent = width_of(label, BOLD) + 0.06
    pen.text(MARGIN, label, BOLD)
    title = sheet.title[0].upper() + sheet.title[1:]
    for i, line in enumerate(wrap(title, pen.width - 2 * MARGIN, PLAIN, indent)):
        pen.text(MARGIN + (0 if i else indent), line)
        pen.y += LINE
    pen.y += PAD


def _headings(pen: _Pen, blocks: Sequence[Block]) -> None:
    pen.rule(THICK)
    pen.y += PAD
    spanning = groups([block.column for block in blocks])
    if any(over for over, _ in spanning):
        left = iter(blocks)
        for over, members in spanning:
            spanned = [next(left) for _ in members]
            begin, end = spanned[0].left, spanned[-1].left + spanned[-1].width
            pen.text((begin + end) / 2, over, ha="center")
            if over:
                pen.rule(THIN, begin, end, below=LINE + PAD / 2)
        pen.y += LINE + PAD
    pen.text(MARGIN, "Model")
    for block in blocks:
        pen.text(block.centre, block.column.heading, ha="center")
    pen.y += LINE + PAD
    pen.rule(MEDIUM)
    pen.y += PAD


def _body(pen: _Pen, sheet: Sheet, blocks: Sequence[Block]) -> None:
    dataset = None
    for i, row in enumerate(sheet.rows):
        if row.dataset != dataset:
            pen.y += PAD if dataset is not None else 0
            dataset = row.dataset
            pen.text(MARGIN, row.dataset, ITALIC)
            pen.y += LINE
        pen.text(MARGIN + INDENT, row.model)
        for block in blocks:
            _entry(pen, block, block.column.entries[i])
        pen.y += LINE
    pen.y += PAD
    pen.rule(THICK)
    pen.y += PAD


def _entry(pen: _Pen, block: Block, entry: Entry) -> None:
    pen.text(block.anchor, entry.text, _style_of(entry), ha="right")
    pen.text(block.anchor + SMALL_GAP, entry.small, MINOR)
    if entry.place == 2:
        width = width_of(entry.text, PLAIN)
        pen.rule(MEDIUM, block.anchor - width, block.anchor, below=LINE * 0.86)


def _note_lines(notes: Sequence[str], width: float) -> Iterator[str]:
    for note in notes:
        yield from wrap(note[0].upper() + note[1:] if not note.startswith("m:") else note, width, NOTE)
