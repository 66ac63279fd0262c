"""The contact sheet: outlines lie where masks do, nothing is mirrored, hundreds of patients are readable."""

import gc
import itertools
import json
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

import draw_overview
from segguided.data.slices import Stack, write_stack
from segguided.describe import overview
from segguided.describe.overview import (
    PIXELS,
    Cell,
    Overview,
    draw_contact_sheet,
    outline_colours,
    outlined,
    read_cell,
    read_cells,
)
from segguided.figures.settings import FigureClass

CLASSES = [{"name": "body", "color": "dimgray"}, {"name": "vessels", "color": "red"}]
COLOURS = ["yellow", "red"]


def dataset(shown: dict[str, list[str]], **totals: int) -> Overview:
    counts = {split: len(patients) for split, patients in shown.items()} | totals
    return Overview.model_validate({"name": "a-set", "classes": CLASSES, "splits": shown, "totals": counts})


def slices_of(patient: str, count: int = 5, size: int = 32, **changes: Any) -> Stack:
    """Body in the upper left, a vessel in its corner; the last slice has none."""
    masks = np.zeros((count, size, size), np.uint8)
    masks[:-1, 2:12, 3:14], masks[:-1, 2:5, 3:6] = 1, 2
    masks = changes.pop("masks_SHW", masks)
    images = np.full_like(masks, 90)
    values = {"provenance": {"image": {}}, **changes}
    return Stack(patient, images, masks, np.arange(float(count)), **values)


def written(folder: Path, *stacks: Stack) -> list[Path]:
    for stack in stacks:
        write_stack(folder / f"{stack.patient}.npz", stack)
    return [folder / f"{stack.patient}.npz" for stack in stacks]


def is_colour(tile: np.ndarray, colour: str) -> np.ndarray:
    return (tile == np.rint(255 * np.array(to_rgb(colour)))).all(axis=-1)


@pytest.mark.parametrize("size", [32, 96, PIXELS, 2 * PIXELS])
def test_an_outline_is_the_border_of_its_mask_and_nothing_else(size: int) -> None:
    """At every size, with the image untouched beside it; no line is lost where pixels are left out."""
    mask = np.zeros((size, size), np.uint8)
    mask[size // 8 : size // 2, size // 16 : size // 4] = 1
    tile = outlined(np.full((size, size), 90, np.uint8), mask, COLOURS)
    assert tile.shape == (PIXELS, PIXELS, 3)
    rows, columns = np.nonzero(is_colour(tile, "yellow"))
    edges = PIXELS // 8, PIXELS // 2 - 1, PIXELS // 16, PIXELS // 4 - 1
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == edges
    width = 2 if size <= PIXELS // 2 else 1
    inside = tile[edges[0] + width : edges[1] - width + 1, edges[2] + width : edges[3] - width + 1]
    assert (inside == 90).all()
    assert (tile[~is_colour(tile, "yellow")] == 90).all()


def test_where_classes_meet_the_one_inside_draws() -> None:
    mask = np.ones((PIXELS, PIXELS), np.uint8)
    mask[100:140, 100:140] = 2
    tile = outlined(np.full_like(mask, 90), mask, COLOURS)
    rows, columns = np.nonzero(is_colour(tile, "yellow"))
    assert set(rows[(columns > 0) & (columns < PIXELS - 1)]) == {0, PIXELS - 1}, "only around the body"
    assert is_colour(tile, "red").sum() == 4 * 39


def test_a_flipped_mask_gives_another_tile() -> None:
    stack = slices_of("p1")
    tiles = {outlined(stack.images_SHW[0], mask, COLOURS).tobytes() for mask in flips(stack.masks_SHW[0])}
    assert len(tiles) == 4


def flips(mask: np.ndarray) -> list[np.ndarray]:
    return [mask, mask[::-1], mask[:, ::-1], mask.T]


def test_greys_become_hues_and_hues_stay() -> None:
    names = {"body": "dimgray", "bone": "white", "vessels": "yellow", "lungs": "pink"}
    classes = [FigureClass(name=name, color=color) for name, color in names.items()]
    assert outline_colours(classes) == {"body": "cyan", "bone": "lime", "vessels": "yellow", "lungs": "pink"}


def test_slices_are_chosen_by_their_masks(tmp_path: Path) -> None:
    [path] = written(tmp_path, slices_of("p1"))
    cell = read_cell(path, 2, COLOURS)
    assert list(cell.slices) == [0, 2]
    assert (cell.lettered, cell.unsure) == (True, False)
    assert all(is_colour(tile, "red").any() and is_colour(tile, "yellow").any() for tile in cell.tiles)


def test_what_files_do_not_say_is_not_claimed(tmp_path: Path) -> None:
    names = tuple(f"p1_slice_{i}" for i in range(5))
    pictures = slices_of("p1", mask_ids=names)
    headless = slices_of("p2", provenance={"image": {"suspicious_header": True}})
    empty = slices_of("p3", count=1)
    shown = dataset({"train": ["p1", "p2", "p3"]})
    cells = read_cells(shown, written(tmp_path, pictures, headless, empty))
    assert [(cell.lettered, cell.unsure) for cell in cells["train"]] == [
        (False, False),
        (True, True),
        (True, False),
    ]
    assert cells["train"][2].slices == [0]
    told = texts(draw_contact_sheet(shown, cells))
    assert "p2 ?" in told
    assert told.count("R") == 4 + 1
    assert any("do not say where left is" in text for text in told)
    assert any("anatomy must confirm" in text for text in told)


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [
        (["p1_slice_0", "p1_slice_1", "p1_slice_2"], ["0", "1", "2"]),
        (["p1_slice_4", "p1_slice_5", "p1_slice_11"], ["4", "5", "11"]),
        (["p1_slice_007", "p1_slice_008", "p1_slice_100"], ["007", "008", "100"]),
        (["p1"], []),  # a patient of one slice, whose name has no number
    ],
)
def test_pictures_show_their_own_numbers_and_claim_no_direction(
    tmp_path: Path, ids: list[str], numbers: list[str]
) -> None:
    """PNG files: the numbers stand in their names, and nothing tells left, front or feet."""
    masks = np.zeros((len(ids), 32, 32), np.uint8)
    masks[:, 2:12, 3:14] = 1
    pictures = slices_of("p1", count=len(ids), mask_ids=tuple(ids), masks_SHW=masks)
    shown = dataset({"test": ["p1"]})
    told = texts(draw_contact_sheet(shown, read_cells(shown, written(tmp_path, pictures))))
    assert [text for text in told if text.isdecimal()] == numbers
    assert not {"R", "L", "A", "P"} & set(told)
    words = " ".join(told)
    assert "from the feet" not in words
    assert "R and L" not in words
    assert "do not say where left is, nor where the feet are; numbers are those at the end" in words
    assert "test: 1 patient" in told


def test_volumes_count_from_the_feet(tmp_path: Path) -> None:
    shown = dataset({"test": ["p1"]})
    told = texts(draw_contact_sheet(shown, read_cells(shown, written(tmp_path, slices_of("p1")))))
    assert "Numbers count a patient's slices from the feet, from 0." in " ".join(told)
    assert "names" not in " ".join(told)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_one_patients_slices_are_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    read = overview.read_stack

    def watched(path: Path) -> Stack:
        gc.collect()
        assert not [reference for reference in alive if reference() is not None], (
            "the last patient's slices are still held"
        )
        stack = read(path)
        alive.append(weakref.ref(stack.images_SHW))
        return stack

    monkeypatch.setattr(overview, "read_stack", watched)
    patients = [f"p{i}" for i in range(4)]
    read_cells(dataset({"train": patients}), written(tmp_path, *map(slices_of, patients)))
    assert len(alive) == 4


def test_other_files_than_those_of_the_patients_are_refused(tmp_path: Path) -> None:
    paths = written(tmp_path, slices_of("p1"), slices_of("p9"))
    with pytest.raises(ValueError, match="expected a slice file for each patient; check p2, p9"):
        read_cells(dataset({"train": ["p1", "p2"]}), paths)
    masks = np.full((1, 8, 8), 3, np.uint8)
    [path] = written(tmp_path, Stack("p1", masks, masks, np.zeros(1), {}))
    with pytest.raises(ValueError, match="patient p1: masks hold class 3 of 2; prepare it again"):
        read_cell(path, 1, COLOURS)


def cells_of(patients: list[str], n_tiles: int) -> list[Cell]:
    tiles = [np.full((PIXELS, PIXELS, 3), 50, np.uint8)] * n_tiles
    return [Cell(patient, tiles, list(range(n_tiles))) for patient in patients]


def test_tiles_stand_upright_and_nothing_covers_another() -> None:
    """On the rendered sheet: each tile's corners, and no text outside or over a neighbour."""
    tile = np.zeros((PIXELS, PIXELS, 3), np.uint8)
    for value, (rows, columns) in enumerate(
        itertools.product((slice(0, 128), slice(128, None)), repeat=2), 1
    ):
        tile[rows, columns] = 40 * value
    patients = {"train": [f"patient_with_a_long_name_{i}" for i in range(7)], "test": ["short"]}
    shown = {split: [Cell(p, [tile, tile], [3, 14]) for p in some] for split, some in patients.items()}
    figure = draw_contact_sheet(dataset(patients), shown)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3]  # type: ignore[attr-defined]
    assert len(figure.images) == 16
    for image in figure.images:
        x, y = int(image.ox), int(image.oy)  # type: ignore[attr-defined]
        corners = [pixels[y + up, x + right, 0] for up in (200, 60) for right in (60, 200)]
        assert corners == [40, 80, 120, 160]
    boxes = [text.get_window_extent() for text in figure.findobj(Text) if len(text.get_text()) > 3]
    boxes += [Bbox.from_bounds(i.ox + 1, i.oy + 1, PIXELS - 2, PIXELS - 2) for i in figure.images]  # type: ignore[attr-defined]
    for first, second in itertools.combinations(boxes, 2):
        assert not first.overlaps(second)
    for box in boxes:
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height


def test_a_hundred_patients_stay_readable_and_thousands_say_what_is_left_out() -> None:
    patients = {
        "train": [f"Breast_MRI_{i:03}" for i in range(70)],
        "held-out": ["x"] * 15,
        "test": ["y"] * 15,
    }
    cells = {split: cells_of(names, 1) for split, names in patients.items()}
    figure = draw_contact_sheet(dataset(patients, train=7000), cells)
    width, height = figure.get_size_inches() * figure.dpi
    assert 2000 < width < 4000
    assert 2000 < height < 4000
    told = texts(figure)
    assert {*patients["train"], "body", "vessels", "a-set", "held-out: 15 patients"} <= set(told)
    assert "train: 70 of 7,000 patients, evenly spread; 6,930 left out" in told
    assert told.count("R") == told.count("A") == 100


def test_the_command_line_draws_the_same_bytes_twice(tmp_path: Path) -> None:
    paths = written(tmp_path, slices_of("p1"), slices_of("p2"))
    shown = dataset({"train": ["p1"], "test": ["p2"]})
    for name in ("a.png", "b.png"):
        draw_overview.draw_overview(shown, paths, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > PIXELS
    paths[0].write_bytes(b"PK")
    script = Path(draw_overview.__file__)
    arguments = ["--dataset", json.dumps(shown.model_dump()), "--slices", *paths, "--png", tmp_path / "c.png"]
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {paths[0]} is damaged (")
    assert not (tmp_path / "c.png").exists()
