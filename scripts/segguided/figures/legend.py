"""The names and colours of classes below a figure: as many side by side as fit, long names in several lines.

All lengths are inches.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch

from segguided.figures.fonts import style_of

LEGEND_ROW_HEIGHT = 0.2
LEGEND_PAD = 0.06
LINE_HEIGHT = 0.15
LEGEND_HANDLE = 0.36  # width of a legend entry besides its letters
TEXT_POINTS = 8.5
LETTER = 0.07  # a letter's width at TEXT_POINTS, generously
RULER_DPI = 200
RULER = RendererAgg(1, 1, RULER_DPI)
BREAKS = "_- "  # a long name is cut after one of these


@cache
def text_width(text: str, points: float = TEXT_POINTS, weight: str = "normal") -> float:
    """Width of a line of text in the figures' font."""
    font = FontProperties(style_of(text).get("family"), size=points, weight=weight)
    width, _, _ = RULER.get_text_width_height_descent(text, font, False)
    return float(width) / RULER_DPI


def cut(text: str, width: float, points: float = TEXT_POINTS, weight: str = "normal") -> list[str]:
    """The text in lines no wider than `width`, cut after a word, or inside a word that is too long."""
    lines = []
    while text:
        end = len(text)
        while end > 1 and text_width(text[:end].rstrip(), points, weight) > width:
            end -= 1
        if end < len(text):
            end = 1 + max(text.rfind(mark, 0, end) for mark in BREAKS) or end
        lines.append(text[:end].rstrip())
        text = text[end:]
    return lines


def legend_columns(names: Collection[str], width: float) -> int:
    """How many legend entries of these names fit side by side."""
    for n_columns in range(len(names), 1, -1):
        columns = np.array_split([_entry_width(name) for name in names], n_columns)
        if sum(max(widths) for widths in columns) <= width:
            return n_columns
    return 1


def _entry_width(name: str) -> float:
    return LEGEND_HANDLE + max(LETTER * len(name), text_width(name))


def legend_height(names: Sequence[str], width: float) -> float:
    """Height of the legend with the space above it."""
    columns = np.array_split(
        [_label(name, width).count("\n") for name in names], legend_columns(names, width)
    )
    tallest = max(LEGEND_ROW_HEIGHT * len(breaks) + LINE_HEIGHT * sum(breaks) for breaks in columns)
    return float(LEGEND_PAD + tallest)


def _label(name: str, width: float) -> str:
    return "\n".join(cut(name, width - LEGEND_HANDLE))


def draw_legend(
    figure: Figure, colours: Mapping[str, str], width: float, left: float, top: float, ink: str = "black"
) -> None:
    """Draw the classes' names and colours; the background, which is black everywhere, is not named."""
    whole_width, whole_height = figure.get_size_inches()
    patches = [Patch(facecolor=colour, edgecolor="grey", linewidth=0.5) for colour in colours.values()]
    legend = figure.legend(
        patches,
        [" "] * len(patches),  # a name that begins with _ would be left out
        loc="upper left",
        bbox_to_anchor=(left / whole_width, top / whole_height),
        ncols=legend_columns(colours, width),
        frameon=False,
        fontsize=TEXT_POINTS,
        labelcolor=ink,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.2,
        handleheight=1,
        handletextpad=0.4,
        columnspacing=1.2,
        labelspacing=0.35,
    )
    for label, name in zip(legend.get_texts(), colours, strict=True):
        label.set(text=_label(name, width), parse_math=False, **style_of(name))
