"""The contact sheet of a dataset: outlines of masks on each patient's images, where a flip is seen at once.

Shape suffixes: H and W pixels; a trailing 3 is red, green, blue. All lengths are inches.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy import ndimage

from segguided.config.base import Settings
from segguided.data.slices import Stack, read_stack
from segguided.data.splits import SPLITS
from segguided.figures import colours as palettes
from segguided.figures.blocks import (
    DPI,
    GAP,
    LIGHT,
    MARGIN,
    TILE,
    TITLE_HEIGHT,
    TITLE_POINTS,
    add_text,
)
from segguided.figures.class_titles import legend_of
from segguided.figures.composite import shown, shown_mask, shown_title
from segguided.figures.legend import (
    LEGEND_PAD,
    LETTER,
    LINE_HEIGHT,
    TEXT_POINTS,
    cut,
    draw_legend,
    legend_height,
)
from segguided.figures.settings import FigureClass
from segguided.figures.shown_slices import choose_slices

PIXELS = round(TILE * DPI)  # of a tile's side
TILES = 120  # aimed at on a sheet
MOST_EACH = 4  # tiles a patient
ACROSS = 12  # tiles in a row
LEAST_WIDTH = 6.0
LETTERS = {"R": (0, 0.5), "L": (1, 0.5), "A": (0.5, 1), "P": (0.5, 0)}  # of DICOM's patient frame, in a tile
PLATE = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 0.6}  # behind letters
ROW_HEIGHT = LINE_HEIGHT + TILE + 2 * GAP
OUTLINES = "Outlines are those of the mask."
DIRECTIONS = (
    "R and L, A and P: the patient's right and left, front and back, as the files have it. Numbers count a "
    "patient's slices from the feet, from 0."
)
WITHOUT = (
    "Without letters: the files do not say where left is, nor where the feet are; numbers are those at the "
    "end of the files' names."
)
UNSURE = "?: the header states no position, or two that differ, so that anatomy must confirm the letters."


class Overview(Settings):
    """What a sheet shows: patients by split, how many each split has, and classes in the order of values."""

    name: str
    classes: tuple[FigureClass, ...]
    splits: dict[str, tuple[str, ...]]
    totals: dict[str, int]
    channels: tuple[str, ...] = ()  # names of the channels of an image; none: one, without a name


@dataclass(frozen=True)
class Cell:
    """One patient: tiles (PIXELS, PIXELS, 3) and the slice that each shows."""

    patient: str
    tiles: Sequence[np.ndarray]
    slices: Sequence[int | str]  # counted from the feet; of the files' names where not `lettered`
    lettered: bool = True  # whether left and right are known
    unsure: bool = False  # whether only anatomy can confirm them

    def title(self, letters: int) -> str:
        """The patient's name, shortened in its middle to so many letters."""
        name = self.patient + " ?" * self.unsure
        return name if len(name) <= letters else f"{name[: letters // 2]}…{name[1 - letters // 2 :]}"


def outline_colours(classes: Sequence[FigureClass]) -> dict[str, str]:
    """A colour for each class: its own, or a hue where its own is a grey or another class's."""
    return palettes.outline_colours({c.name: c.color for c in classes})


def outlined(image_HW: np.ndarray, mask_HW: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    """The tile (PIXELS, PIXELS, 3) uint8 of a slice: each class's inner border in its colour.

    Where two classes meet, the class with the higher value is drawn: it is inside, as a vessel in the breast.
    """
    mask_HW = shown_mask(mask_HW, image_HW.shape[2] if image_HW.ndim == 3 else 1)
    image_HW = shown(image_HW)
    rows, columns = (np.arange(PIXELS) * n // PIXELS for n in mask_HW.shape)  # nearest neighbour
    image_HW = image_HW[np.ix_(rows, columns)]
    mask_HW = mask_HW[np.ix_(rows, columns)]
    tile_HW3 = image_HW if image_HW.ndim == 3 else np.repeat(image_HW[..., np.newaxis], 3, axis=-1)
    width = 2 if len(np.unique(rows)) <= PIXELS // 2 else 1  # a small image has large pixels
    for value, colour in enumerate(colours, 1):
        border_HW = (mask_HW == value) & ~ndimage.binary_erosion(mask_HW >= value, iterations=width)
        tile_HW3[border_HW] = np.rint(255 * np.array(to_rgb(colour)))
    return tile_HW3


def read_cell(path: Path, n_slices: int, colours: Sequence[str]) -> Cell:
    """The cell of a slice file: slices chosen by their masks; the middle slice where all masks are empty."""
    stack = read_stack(path)
    _check_classes(stack, len(colours))
    if stack.masks_SHW.any():
        chosen = choose_slices(stack.masks_SHW, n_slices)
    else:
        chosen = [len(stack.masks_SHW) // 2]
    tiles = [outlined(stack.images_SHW[i], stack.masks_SHW[i], colours) for i in chosen]
    unsure = bool(stack.provenance.get("image", {}).get("suspicious_header"))
    # Only slices that are files of their own have mask ids, and such files do not say where they are in the
    # body.
    lettered = stack.mask_ids is None
    numbers = chosen if lettered else [_number_in(stack.names[i]) for i in chosen]
    return Cell(stack.patient, tiles, numbers, lettered=lettered, unsure=unsure)


def _number_in(mask_id: str) -> str:
    """The slice's number in the file's name; nothing where the name has none."""
    number = mask_id.rpartition("_slice_")[2]
    return number if number.isdecimal() else ""


def _check_classes(stack: Stack, count: int) -> None:
    highest = stack.masks_SHW.max(initial=0)
    if highest > count:
        raise ValueError(f"patient {stack.patient}: masks hold class {highest} of {count}; prepare it again")


def read_cells(dataset: Overview, paths: Sequence[Path]) -> dict[str, list[Cell]]:
    """The cells of each split, one patient's slices in memory at a time.

    Raises ValueError unless `paths` are the slice files of the patients shown.
    """
    file_of = {path.stem: path for path in paths}
    unequal = file_of.keys() ^ {patient for patients in dataset.splits.values() for patient in patients}
    if unequal:
        raise ValueError(f"expected a slice file for each patient; check {', '.join(sorted(unequal))}")
    n_slices = max(1, min(MOST_EACH, TILES // len(file_of)))
    colours = list(outline_colours(dataset.classes).values())
    return {
        split: [read_cell(file_of[patient], n_slices, colours) for patient in dataset.splits[split]]
        for split in sorted(dataset.splits, key=SPLITS.index)
    }


@dataclass(frozen=True)
class _Arrangement:
    """Where everything is: all that depends on the number of cells and the lengths of texts."""

    dataset: Overview
    cells: Mapping[str, Sequence[Cell]]  # by split

    @cached_property
    def n_tiles(self) -> int:
        """Tiles of the widest cell."""
        return max(len(cell.tiles) for split_cells in self.cells.values() for cell in split_cells)

    @property
    def cell_width(self) -> float:
        """From a cell's left side to the next cell's."""
        return self.n_tiles * (TILE + GAP) + GAP

    @property
    def across(self) -> int:
        """Cells side by side."""
        return min(ACROSS // self.n_tiles, max(map(len, self.cells.values())))

    @property
    def width(self) -> float:
        """Width of the sheet."""
        return max(LEAST_WIDTH, 2 * MARGIN + self.across * self.cell_width - 2 * GAP)

    @cached_property
    def title_lines(self) -> list[str]:
        """The dataset's name."""
        title = shown_title(self.dataset.name, self.dataset.channels)
        return cut(title, self.width - 2 * MARGIN, TITLE_POINTS, "bold")

    @cached_property
    def notes(self) -> list[str]:
        """The lines below the title; those on letters only where they matter."""
        cells = [cell for split_cells in self.cells.values() for cell in split_cells]
        lettered = [cell.lettered for cell in cells]
        notes = [f"{OUTLINES} {DIRECTIONS}" if any(lettered) else OUTLINES]
        if not all(lettered):
            notes.append(WITHOUT)
        if any(cell.unsure for cell in cells):
            notes.append(UNSURE)
        letters = int((self.width - 2 * MARGIN) / LETTER)
        return [line for note in notes for line in textwrap.wrap(note, letters)]

    @cached_property
    def colours(self) -> dict[str, str]:
        """The outlines' colours, by the classes' titles."""
        return legend_of(self.dataset.classes, palettes.outline_colours)

    @property
    def height(self) -> float:
        """Height of the sheet."""
        n_rows = sum(ceil(len(split_cells) / self.across) for split_cells in self.cells.values())
        legend = legend_height(list(self.colours), self.width - 2 * MARGIN)
        heading = TITLE_HEIGHT * len(self.title_lines) + LINE_HEIGHT * len(self.notes)
        return 2 * MARGIN + heading + TITLE_HEIGHT * len(self.cells) + ROW_HEIGHT * n_rows + legend


def draw_contact_sheet(dataset: Overview, cells: Mapping[str, Sequence[Cell]]) -> Figure:
    """The figure: a heading, each split's patients in rows below its own heading, and the legend."""
    arrangement = _Arrangement(dataset, cells)
    figure = Figure(figsize=(arrangement.width, arrangement.height), dpi=DPI, facecolor=LIGHT.paper)
    FigureCanvasAgg(figure)
    top = _draw_heading(figure, arrangement)
    for split, split_cells in cells.items():
        top -= TITLE_HEIGHT
        heading = _split_heading(split, len(split_cells), dataset.totals[split])
        add_text(figure, MARGIN, top + 2 * GAP, heading, LIGHT, size=TEXT_POINTS, weight="bold")
        for i, cell in enumerate(split_cells):
            row, column = divmod(i, arrangement.across)
            left = MARGIN + column * arrangement.cell_width
            _draw_cell(figure, cell, left, top - row * ROW_HEIGHT, arrangement.n_tiles)
        top -= ROW_HEIGHT * ceil(len(split_cells) / arrangement.across)
    draw_legend(figure, arrangement.colours, arrangement.width - 2 * MARGIN, MARGIN, top - LEGEND_PAD)
    return figure


def _draw_heading(figure: Figure, arrangement: _Arrangement) -> float:
    """Draw the title and the notes below it; the height of what follows them."""
    top = arrangement.height - MARGIN
    for line in arrangement.title_lines:
        add_text(figure, MARGIN, top - TITLE_POINTS / 72, line, LIGHT, size=TITLE_POINTS, weight="bold")
        top -= TITLE_HEIGHT
    for line in arrangement.notes:
        add_text(figure, MARGIN, top - TEXT_POINTS / 72, line, LIGHT, size=TEXT_POINTS)
        top -= LINE_HEIGHT
    return top


def _split_heading(split: str, shown: int, total: int) -> str:
    if shown == total:
        return f"{split}: {total:,} patient{'s' * (total > 1)}"
    return f"{split}: {shown:,} of {total:,} patients, evenly spread; {total - shown:,} left out"


def _draw_cell(figure: Figure, cell: Cell, left: float, top: float, n_tiles: int) -> None:
    title = cell.title(int((n_tiles * (TILE + GAP) - GAP) / LETTER))
    add_text(figure, left, top - LINE_HEIGHT + GAP, title, LIGHT, size=TEXT_POINTS)
    for i, (tile_HW3, number) in enumerate(zip(cell.tiles, cell.slices, strict=True)):
        x = left + i * (TILE + GAP)
        y = top - LINE_HEIGHT - TILE
        figure.figimage(tile_HW3, round(x * DPI), round(y * DPI), origin="upper")
        for text, (right, up), ha, va in _marks(cell, number):
            text_x = x + GAP / 2 + right * (TILE - GAP)
            text_y = y + GAP / 2 + up * (TILE - GAP)
            style = {"size": TEXT_POINTS - 2, "ha": ha, "va": va, "color": "white", "bbox": PLATE}
            add_text(figure, text_x, text_y, text, LIGHT, **style)


def _marks(cell: Cell, number: int | str) -> Iterator[tuple[str, tuple[float, float], str, str]]:
    """What is written on a tile: text, its place (to the right and up, from 0 to 1), and its alignment."""
    sides = {0: ("left", "bottom"), 0.5: ("center", "center"), 1: ("right", "top")}
    marks: dict[str, tuple[float, float]] = {}
    if number != "":
        marks[str(number)] = (1, 0)
    if cell.lettered:
        marks |= LETTERS
    for text, (right, up) in marks.items():
        yield text, (right, up), sides[right][0], sides[up][1]
