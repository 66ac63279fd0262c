"""Figures of masks and images side by side: a block of tiles for each dataset, its classes' colours below.

Shape suffixes: S slices, H and W pixels; a trailing 3 is red, green, blue. All lengths are inches.
"""

import logging
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context, rcdefaults
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from rich.cells import cell_len

from segguided.figures.composite import shown
from segguided.figures.fonts import style_of
from segguided.figures.legend import (
    LEGEND_PAD,
    LETTER,
    LINE_HEIGHT,
    TEXT_POINTS,
    cut,
    draw_legend,
    legend_height,
)
from segguided.files import atomic_path

DPI = 200
TILE = 1.28  # 256 pixels at 200 dpi: a 256 × 256 image is drawn pixel by pixel
GAP = 0.04  # between tiles
MARGIN = 0.12  # around the figure
BLOCK_GAP = 0.32
TITLE_HEIGHT = 0.26
TITLE_POINTS = 11
PLOT_WIDTH = 2.6  # of a plot beside the tiles
PLOT_HEIGHT = 2.2
PLOT_LABELS = 0.55  # width of the plot's axis labels
rcdefaults()  # a matplotlibrc of this machine changes no figure
logging.getLogger("fontTools").setLevel(logging.WARNING)  # otherwise a PDF lists every glyph in the log


@dataclass(frozen=True)
class Column:
    """Tiles below a title: uint8, grey (H, W), shown from 0 to 255, or coloured (H, W, 3).

    Images of two or four channels are shown as `composite.shown` says.
    """

    title: str
    tiles: Sequence[np.ndarray]

    @property
    def lines(self) -> list[str]:
        """The title, wrapped to a tile's width."""
        if not self.title:
            return []
        width = cell_len(self.title) / len(self.title)  # of a letter: up to 2 for Chinese, for instance
        lines = textwrap.wrap(self.title, int(TILE / LETTER / width))
        return [part for line in lines for part in cut(line, TILE)]  # a word of wide letters is cut


@dataclass(frozen=True)
class Block:
    """Columns of equal length below a title, with each class's colour by its title.

    Each of `plots` draws measurements on axes of its own, to the right of the tiles. `rows` are the names
    of the rows, to their left, read from below; there may be none.
    """

    title: str
    columns: Sequence[Column]
    colours: dict[str, str]
    plots: Sequence[Callable[[Axes], None]] = ()
    rows: Sequence[str] = ()

    @property
    def n_rows(self) -> int:
        """Tiles in each column."""
        return len(self.columns[0].tiles)

    @property
    def is_even(self) -> bool:
        """Whether its columns are of equal length, that of its rows' names, and have a tile."""
        named = not self.rows or len(self.rows) == self.n_rows
        return named and self.n_rows > 0 and all(len(column.tiles) == self.n_rows for column in self.columns)

    @property
    def row_lines(self) -> list[list[str]]:
        """The rows' names, each wrapped to a tile's height."""
        return [cut(name, TILE) for name in self.rows]

    @property
    def names_width(self) -> float:
        """Width of the rows' names."""
        return LINE_HEIGHT * max((len(lines) for lines in self.row_lines), default=0)

    @property
    def tiles_width(self) -> float:
        """Width of its tiles."""
        return len(self.columns) * (TILE + GAP) - GAP

    @property
    def width(self) -> float:
        """Width of its rows' names, tiles and plots."""
        return self.names_width + self.tiles_width + len(self.plots) * (PLOT_LABELS + PLOT_WIDTH)

    @property
    def title_lines(self) -> list[str]:
        """The title, wrapped to the block's width."""
        return cut(self.title, self.width, TITLE_POINTS, "bold")

    @property
    def titles_height(self) -> float:
        """Height of its title and its columns' titles."""
        columns_height = LINE_HEIGHT * max(len(column.lines) for column in self.columns)
        return TITLE_HEIGHT * len(self.title_lines) + columns_height

    @property
    def height(self) -> float:
        """Height from the title's top to the legend's bottom."""
        legend = legend_height(list(self.colours), self.tiles_width)
        return self.titles_height + self.n_rows * (TILE + GAP) - GAP + legend


@dataclass(frozen=True)
class Theme:
    """Colours of paper and ink."""

    paper: str
    ink: str


LIGHT = Theme(paper="white", ink="black")
DARK = Theme(paper="#15181d", ink="#e8eaed")


def colourise(mask_HW: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    """The mask in colours (H, W, 3) uint8: class k in the k-th colour, counted from 1, on black."""
    if mask_HW.max(initial=0) > len(colours):
        raise ValueError(f"mask holds class {mask_HW.max()}, but {len(colours)} classes have a colour")
    palette = np.array([(0.0, 0.0, 0.0), *map(to_rgb, colours)])
    coloured: np.ndarray = np.rint(255 * palette).astype(np.uint8)[mask_HW]
    return coloured


def draw_blocks(blocks: Sequence[Block], *, stacked: bool = False, theme: Theme = LIGHT) -> Figure:
    """A figure of the blocks side by side, or one below the other."""
    if not blocks or not all(block.is_even for block in blocks):
        raise ValueError("expected at least one block, and columns of equal length with at least one tile")
    widths = [block.width for block in blocks]
    heights = [block.height for block in blocks]
    gaps = BLOCK_GAP * (len(blocks) - 1)
    width = 2 * MARGIN + (max(widths) if stacked else sum(widths) + gaps)
    height = 2 * MARGIN + (sum(heights) + gaps if stacked else max(heights))
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=theme.paper)
    FigureCanvasAgg(figure)
    left = MARGIN
    top = height - MARGIN
    for block in blocks:
        _draw_block(figure, block, left, top, theme)
        if stacked:
            top -= block.height + BLOCK_GAP
        else:
            left += block.width + BLOCK_GAP
    return figure


def save_figure(figure: Figure, *paths: Path) -> None:
    """Write the figure to each path, PNG or PDF by its ending; equal figures give equal bytes."""
    metadata = {".png": {"Software": None}, ".pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
    for path in paths:
        if path.suffix not in metadata:
            raise ValueError(f"{path}: figures are written as .png or .pdf")
        with atomic_path(path) as temporary, rc_context({"pdf.fonttype": 42, "image.composite_image": False}):
            figure.savefig(temporary, dpi=DPI, metadata=metadata[path.suffix])


def _draw_block(figure: Figure, block: Block, left: float, top: float, theme: Theme) -> None:
    """Draw with the upper left corner at (left, top), measured from the figure's lower left corner."""
    for row, line in enumerate(block.title_lines):
        baseline = top - TITLE_POINTS / 72 - row * TITLE_HEIGHT
        add_text(figure, left, baseline, line, theme, size=TITLE_POINTS, weight="bold", ha="left")
    tiles_top = top - block.titles_height
    left = _draw_row_names(figure, block, left, tiles_top, theme)
    for i, column in enumerate(block.columns):
        x = left + i * (TILE + GAP)
        title = "\n".join(column.lines)
        add_text(figure, x + TILE / 2, tiles_top + GAP, title, theme, size=TEXT_POINTS, ha="center")
        for row, tile in enumerate(column.tiles):
            _draw_tile(figure, tile, x, tiles_top - row * (TILE + GAP) - TILE)
    for place, plot in enumerate(block.plots):
        left_of_plot = left + block.tiles_width + PLOT_LABELS + place * (PLOT_LABELS + PLOT_WIDTH)
        plot(_add_axes(figure, left_of_plot, tiles_top - PLOT_HEIGHT, PLOT_WIDTH - GAP, PLOT_HEIGHT))
    legend_top = tiles_top - block.n_rows * (TILE + GAP) + GAP - LEGEND_PAD
    draw_legend(figure, block.colours, block.tiles_width, left, legend_top, theme.ink)


def _draw_row_names(figure: Figure, block: Block, left: float, tiles_top: float, theme: Theme) -> float:
    """Draw them from `left`; returns where the tiles begin."""
    for row, lines in enumerate(block.row_lines):
        middle = tiles_top - row * (TILE + GAP) - TILE / 2
        style = {
            "size": TEXT_POINTS,
            "rotation": 90,
            "ha": "left",
            "va": "center",
            "multialignment": "center",
        }
        add_text(figure, left, middle, "\n".join(lines), theme, **style)
    return left + block.names_width


def _draw_tile(figure: Figure, tile: np.ndarray, left: float, bottom: float) -> None:
    axes = _add_axes(figure, left, bottom, TILE, TILE)
    axes.imshow(shown(tile), cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color="grey", linewidth=0.5)  # where white anatomy meets white paper


def _add_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    whole_width, whole_height = figure.get_size_inches()
    box = (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    return figure.add_axes(box)


def add_text(figure: Figure, x: float, y: float, text: str, theme: Theme, **style: Any) -> None:
    """Add text whose baseline starts at (x, y) from the lower left corner; `ha` centres it there or ends it.

    A dollar sign stays one: names are not read as mathematics.
    """
    width, height = figure.get_size_inches()
    usual = {"va": "baseline", "linespacing": 1.05, "color": theme.ink, "parse_math": False}
    figure.text(x / width, y / height, text, **{**usual, **style_of(text), **style})
