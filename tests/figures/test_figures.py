"""Figures show pixels as they are, clip no text, choose slices by masks alone and repeat byte for byte."""

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import draw_figure1
import draw_figure2
import draw_figure3
import draw_figure5
import draw_figure6
import draw_showcase
from segguided.config.figures import ShownMasks
from segguided.data.formats.npz import write_npz
from segguided.data.slices import read_generated, read_slices
from segguided.figures.blocks import (
    DARK,
    LIGHT,
    Block,
    Column,
    colourise,
    draw_blocks,
    save_figure,
)
from segguided.figures.free import figure1_block
from segguided.figures.panels import generated_tiles, read_panels
from segguided.figures.settings import FigureDataset
from segguided.figures.shown_slices import choose_slices, random_slices
from segguided.generation.variants import write_variants
from support.pictures import block, body

SCRIPTS = Path(draw_figure1.__file__).parent
BREAST = {"breast": "white", "BV": "red", "FGT": "blue"}
CT = {"liver": "maroon", "bladder": "orange", "lungs": "pink", "kidneys": "red", "bone": "white"}


def drawn_texts(figure: Figure) -> list[tuple[str, Bbox]]:
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    return [(text.get_text(), text.get_window_extent()) for text in texts]


def pixels(figure: Figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]


def test_colourise() -> None:
    coloured = colourise(np.array([[0, 1], [2, 3]], np.uint8), list(BREAST.values()))
    assert coloured.tolist() == [[[0, 0, 0], [255, 255, 255]], [[255, 0, 0], [0, 0, 255]]]
    assert coloured.dtype == np.uint8
    with pytest.raises(ValueError, match="mask holds class 4, but 3 classes have a colour"):
        colourise(np.full((2, 2), 4), list(BREAST.values()))


def masks_of(classes: list[set[int]]) -> np.ndarray:
    """One tiny mask a set of classes."""
    return np.stack([np.resize([0, *sorted(held)], (3, 3)) for held in classes])


def test_slices_are_spread_and_show_every_class_early() -> None:
    pelvis, abdomen, chest = {2, 5}, {1, 4, 5}, {1, 3, 5}
    assert choose_slices(masks_of([pelvis] * 4 + [abdomen] * 4 + [chest] * 4), 3) == [1, 5, 9]
    # The richest slice first, then one of the next run that adds a class, though it holds fewer.
    assert choose_slices(masks_of([{1}, {1, 2, 3}, {1}, {1, 2, 3}, {4}, {1}]), 2) == [1, 4]


def test_empty_masks_are_never_chosen_and_few_slices_are_all_chosen() -> None:
    assert choose_slices(masks_of([set(), {1}, set(), {1, 2}, set()]), 4) == [1, 3]
    with pytest.raises(ValueError, match="no mask holds any class"):
        choose_slices(masks_of([set(), set()]), 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(1, 4)), min_size=1, max_size=30).filter(any), st.integers(1, 6))
def test_choice_is_ascending_distinct_and_within_the_set(classes: list[set[int]], n: int) -> None:
    chosen = choose_slices(masks_of(classes), n)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(n, sum(map(bool, classes)))
    assert all(classes[i] for i in chosen)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize(
    "models",
    [
        ["segguided"],
        ["segguided", "unconditional"],
        ["controlnet", "spade", "segguided-mat", "segguided", "unconditional"],
        ["a-model-with-a-rather-long-name", "onewordthatfitsintonotile"],
    ],
)
def test_no_text_is_clipped_or_overlaps(models: list[str], stacked: bool) -> None:
    titles = ["mask", *models, "real image"]
    figure = draw_blocks(
        [block("phantom-breast", BREAST, titles), block("demo-ct", CT, titles, 3)], stacked=stacked
    )
    texts = drawn_texts(figure)
    assert {"phantom-breast", "demo-ct", *BREAST, *CT} <= {text for text, _ in texts}
    for text, box in texts:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width, text
        assert box.y1 <= figure.bbox.height, text
    tiles = [("tile", axes.get_window_extent()) for axes in figure.axes]
    for (a, box_a), (b, box_b) in itertools.combinations(texts + tiles, 2):
        assert not box_a.overlaps(box_b), (a, b)


def test_many_long_class_names_wrap_within_the_block() -> None:
    colours = {f"a-class-with-a-long-name-{i}": "red" for i in range(7)}
    figure = draw_blocks([block("phantom", colours, ["mask", "segguided"])])
    assert all(box.x1 <= figure.bbox.width and box.y0 >= 0 for _, box in drawn_texts(figure))


def test_a_256_pixel_image_is_drawn_pixel_by_pixel_without_rescaling() -> None:
    """Grey values arrive as they are: no stretch to the image's own range, no interpolation."""
    image_HW = body(256) // 2 + 40
    figure = draw_blocks([Block("d", [Column("t", [image_HW])], {"a": "red"})])
    canvas = pixels(figure)
    box = figure.axes[0].get_window_extent()
    top, left = canvas.shape[0] - round(box.y1), round(box.x0)
    inner = canvas[top + 3 : top + 253, left + 3 : left + 253]
    shifts = [
        image_HW[3 + dy : 253 + dy, 3 + dx : 253 + dx] for dy, dx in itertools.product((-1, 0, 1), repeat=2)
    ]
    assert any((np.abs(inner[..., 0].astype(int) - shift) <= 1).mean() > 0.98 for shift in shifts)


def test_a_small_image_is_enlarged_without_new_grey_values() -> None:
    board_HW = (np.indices((9, 9)).sum(axis=0) % 2 * 100 + 50).astype(np.uint8)
    figure = draw_blocks([Block("d", [Column("t", [board_HW])], {"a": "red"})])
    canvas, box = pixels(figure), figure.axes[0].get_window_extent()
    inner = canvas[canvas.shape[0] - round(box.y1) + 3 :, round(box.x0) + 3 :][:240, :240, 0]
    assert set(np.unique(inner)) == {50, 150}


def test_every_tile_holds_its_own_image() -> None:
    """No tile is left black: the mean grey of each is the image's."""
    tiles = [np.full((8, 8), grey, np.uint8) for grey in (40, 90, 140, 200)]
    figure = draw_blocks([Block("d", [Column("a", tiles[:2]), Column("b", tiles[2:])], {"a": "red"})])
    canvas = pixels(figure)
    for axes, tile in zip(figure.axes, tiles, strict=True):
        box = axes.get_window_extent()
        y, x = canvas.shape[0] - round((box.y0 + box.y1) / 2), round((box.x0 + box.x1) / 2)
        assert abs(int(canvas[y, x, 0]) - int(tile[0, 0])) <= 1


def test_themes_differ_in_paper() -> None:
    blocks = [block("d", BREAST, ["mask"])]
    assert pixels(draw_blocks(blocks, theme=LIGHT))[0, 0].tolist() == [255, 255, 255]
    assert pixels(draw_blocks(blocks, theme=DARK))[0, 0].max() < 40


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [Block("d", [Column("a", [])], BREAST)],
        [Block("d", [Column("a", [body()]), Column("b", [])], BREAST)],
    ],
)
def test_refuses_empty_or_unequal_columns(blocks: list[Block]) -> None:
    with pytest.raises(ValueError, match="columns of equal length with at least one tile"):
        draw_blocks(blocks)


def test_files_are_equal_byte_for_byte(tmp_path: Path) -> None:
    for name in ("first", "second"):
        figure = draw_blocks([block("d", CT, ["mask", "real"])])
        save_figure(figure, tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
    for suffix in (".png", ".pdf"):
        assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()
    assert b"CreationDate" not in (tmp_path / "first.pdf").read_bytes()
    with pytest.raises(ValueError, match=r"written as \.png or \.pdf"):
        save_figure(figure, tmp_path / "figure.jpg")


@pytest.fixture
def dataset(tmp_path: Path) -> FigureDataset:
    """Two patients of three slices, and two generated sets whose grey value tells model and slice."""
    masks_SHW = masks_of([{1}, {1, 2, 3}, {1, 2}]).astype(np.uint8)
    slices, names = [], []
    for patient in ("p1", "p2"):
        slices.append(tmp_path / f"{patient}.npz")
        names += [f"{patient}_slice_{i}" for i in range(3)]
        write_npz(
            slices[-1],
            images=np.full((3, 3, 3), 7, np.uint8),
            masks=masks_SHW,
            positions=np.arange(3.0),
            provenance=np.array("{}"),
        )
    generated = {}
    for shift, model in enumerate(("segguided", "unconditional")):
        generated[model] = tmp_path / f"{model}.npz"
        grey_N = (100 * shift + 10 * np.arange(6)).astype(np.uint8)
        images_NHW = np.broadcast_to(grey_N[:, None, None], (6, 3, 3))
        write_npz(generated[model], images=images_NHW[::-1].copy(), names=np.array(names[::-1]))
    classes = [{"name": name, "color": colour} for name, colour in BREAST.items()]
    return FigureDataset.model_validate(
        {"name": "phantom", "classes": classes, "slices": slices, "generated": generated}
    )


def test_slice_files_may_stand_in_a_list(dataset: FigureDataset, tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("".join(f"{path}\n" for path in dataset.slices))
    named = dataset.model_dump(mode="json") | {"slices": f"@{tmp_path}/test.txt"}
    assert FigureDataset.from_json(json.dumps(named)) == dataset
    with pytest.raises(ValueError, match=r"none.txt cannot be read \(No such file"):
        FigureDataset.from_json(json.dumps(named | {"slices": f"@{tmp_path}/none.txt"}))


def test_panels_match_images_to_masks_by_name(dataset: FigureDataset) -> None:
    """The sets are stored in reverse order; each tile still belongs to its mask."""
    panels = read_panels(dataset, 2)
    assert [tile[0, 0] for tile in panels.tiles["segguided"]] == [10, 40]  # slice 1 of either patient
    assert [tile[0, 0] for tile in panels.tiles["unconditional"]] == [110, 140]
    assert panels.tiles["real"][0].max() == 7
    assert panels.tiles["mask"][0].shape == (3, 3, 3)
    with pytest.raises(ValueError, match="phantom: no images of spade; there are real, mask, segguided"):
        panels.block([("spade", "SPADE")])
    with pytest.raises(ValueError, match="holds no image for p9_slice_0; generate the set again"):
        generated_tiles(dataset.generated["segguided"], read_slices(dataset.slices), ["p9_slice_0"])


def column_titles(monkeypatch: pytest.MonkeyPatch, script: object) -> list[list[str]]:
    """Titles of the columns of each block that a script draws, filled when it runs."""
    seen: list[list[str]] = []

    def spy(blocks: list[Block], **_options: object) -> Figure:
        seen.extend([column.title for column in b.columns] for b in blocks)
        return draw_blocks(blocks)

    monkeypatch.setattr(script, "draw_blocks", spy)
    return seen


def test_figure_scripts(dataset: FigureDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    png, pdf = tmp_path / "figure.png", tmp_path / "figure.pdf"
    seen = column_titles(monkeypatch, draw_figure1)
    models = [("segguided", "mask-guided"), ("unconditional", "unconditional")]
    draw_figure1.draw_figure1([dataset], models, n_slices=1, png=png, pdf=pdf)
    assert seen == [["real image", "its mask", "mask-guided", "unconditional"]]
    seen = column_titles(monkeypatch, draw_figure2)
    models = [("unconditional", "Unconditional"), ("segguided", "Ours (STD)")]
    draw_figure2.draw_figure2([dataset, dataset], models, n_slices=2, png=png, pdf=pdf)
    mask = "random mask (seed\N{NO-BREAK SPACE}0)"
    assert seen == [[mask, "Unconditional", "Ours (STD)", "real image"]] * 2
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert pdf.read_bytes()[:4] == b"%PDF"


def test_figure1_shows_masks_made_from_nothing_beside_their_images(
    dataset: FigureDataset, tmp_path: Path
) -> None:
    images_NHW = np.full((3, 3, 3), 200, np.uint8)
    masks_NHW = np.ones((3, 3, 3), np.uint8)
    names_N = np.array(["a", "b", "c"])
    write_npz(tmp_path / "free.npz", {}, images=images_NHW, names=names_N, masks=masks_NHW)
    with_free = dataset.model_copy(update={"free": tmp_path / "free.npz"})
    block = figure1_block(with_free, [("segguided", "mask-guided")], n_slices=2)
    assert [column.title for column in block.columns][2:] == [
        "mask-guided", "mask from nothing", "its image",
    ]  # fmt: skip
    colour = colourise(masks_NHW[0], list(dataset.colours.values()))
    assert np.array_equal(block.columns[3].tiles[1], colour)
    assert block.columns[4].tiles[0].max() == 200
    with pytest.raises(ValueError, match="holds 3 images, expected 4; generate it again"):
        figure1_block(with_free, [("segguided", "mask-guided")], n_slices=4)


@pytest.mark.parametrize("masks", ["random", "chosen"])
def test_figure5_shows_slices_that_figure2_does_not(
    dataset: FigureDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, masks: str
) -> None:
    """Six slices: figure 2 takes four, two are left; the generated grey value tells the slice."""
    shown: dict[object, list[int]] = {}
    for script in (draw_figure2, draw_figure5):

        def spy(blocks: list[Block], script: object = script) -> Figure:
            shown[script] = [int(tile[0, 0]) for tile in blocks[0].columns[1].tiles]
            return draw_blocks(blocks)

        monkeypatch.setattr(script, "draw_blocks", spy)
    files = {"png": tmp_path / "f.png", "pdf": tmp_path / "f.pdf"}
    which = ShownMasks.model_validate({"masks": masks, "seed": 3})
    draw_figure2.draw_figure2([dataset], [("segguided", "S")], n_slices=4, shown=which, **files)
    draw_figure5.draw_figure5([dataset], [("segguided", "S")], n_slices=8, shown=which, **files)
    assert len(shown[draw_figure2]) == 4
    assert sorted(shown[draw_figure2] + shown[draw_figure5]) == [0, 10, 20, 30, 40, 50]


def test_random_slices_are_a_function_of_the_seed_and_hold_a_class() -> None:
    masks = masks_of([set(), *[{1}] * 30])
    drawn = random_slices(masks, 5, seed=0)
    assert drawn == random_slices(masks, 5, seed=0) == sorted(set(drawn))
    assert drawn != random_slices(masks, 5, seed=1)
    assert len(drawn) == 5
    assert 0 not in random_slices(masks, 30, seed=0), "an empty mask"
    assert not set(drawn) & set(random_slices(masks, 25, seed=0, skip=5))
    counts = np.bincount([i for seed in range(600) for i in random_slices(masks, 5, seed)], minlength=31)
    assert counts[1:].min() > 60 and counts.max() < 140, "each mask is as likely: 100 of 600 times"
    with pytest.raises(ValueError, match="no mask holds any class but for 4 that another figure shows"):
        random_slices(masks[:4], 8, seed=0, skip=4)


def test_the_command_line_refuses_other_ways_to_take_masks(dataset: FigureDataset, tmp_path: Path) -> None:
    parser = draw_figure2.command_line()
    words = ["--dataset", dataset.to_json(), "--model", "segguided", "S", "--png", "f.png", "--pdf", "f.pdf"]
    assert parser.parse_args(words).shown == ShownMasks(masks="random", seed=0)
    expected = r"not the settings of a ShownMasks \(masks: .* 'random' or 'chosen'\)"
    with pytest.raises(argparse.ArgumentTypeError, match=expected):
        ShownMasks.from_json('{"masks": "best"}')


def test_slices_left_out_are_never_chosen() -> None:
    masks = masks_of([{1}, {1, 2}, {1}, {2}])
    assert choose_slices(masks, 2, without=[1]) == [0, 3]
    with pytest.raises(ValueError, match="but for 2 that another figure shows, so there is no slice"):
        choose_slices(masks[:2], 1, without=[0, 1])


def test_figures_of_partial_masks_show_titles(
    dataset: FigureDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """draw_figure3 and draw_figure6: the first model's images, then the others', below their titles."""
    names = read_generated(dataset.generated["segguided"])[1]
    images_MHW = np.zeros((6, 3, 3), np.uint8)
    variants = {f"{condition}/{number}": images_MHW for condition in ("all", "1") for number in range(3)}
    sets = {model: tmp_path / f"{model}-partial.npz" for model in ("mat", "std")}
    for path in sets.values():
        write_variants(path, variants, names)
    partial = dataset.model_copy(update={"generated": sets})
    files = {"png": tmp_path / "f.png", "pdf": tmp_path / "f.pdf"}
    seen = column_titles(monkeypatch, draw_figure3)
    draw_figure3.draw_figure3([partial], [("mat", "MAT"), ("std", "STD")], **files)
    mat = [f"MAT {i}" for i in (1, 2, 3)]
    assert seen == [["mask", *mat, "STD 1", "STD 2"]]
    seen = column_titles(monkeypatch, draw_figure6)
    draw_figure6.draw_figure6([partial], [("mat", "MAT")], **files)
    assert seen == [["mask", *mat]]
    write_variants(sets["mat"], {"all/0": images_MHW, "1/0": images_MHW}, names)
    draw_figure6.draw_figure6([partial], [("mat", "MAT")], **files)
    assert seen[1:] == [["mask", mat[0]]], "as many as there are"


def test_the_showcase_shows_real_images_only_where_allowed(
    dataset: FigureDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = column_titles(monkeypatch, draw_showcase)
    second = dataset.model_copy(update={"name": "ct"})
    models = [("segguided", "Ours"), ("unconditional", "Unconditional")]
    draw_showcase.draw_showcase([dataset, second], models, ["phantom"], n_slices=1, png=tmp_path / "s.png")
    assert seen == [["mask", "Ours", "Unconditional", "real image"], ["mask", "Ours", "Unconditional"]]
    with pytest.raises(ValueError, match="--real names mri, which no --dataset has"):
        draw_showcase.draw_showcase([dataset], models, ["mri"], n_slices=1, png=tmp_path / "s.png")


def test_the_command_line_is_quiet_and_needs_no_torch(dataset: FigureDataset, tmp_path: Path) -> None:
    command = [str(SCRIPTS / "draw_figure2.py"), "--dataset", dataset.to_json()]
    command += ["--model", "segguided", "Ours (STD)"]
    command += ["--n-slices", "1", "--png", str(tmp_path / "f.png"), "--pdf", str(tmp_path / "f.pdf")]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=False
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 0, done.stderr
    assert not [line for line in lines if line.endswith((" torch", " diffusers", " monai"))]
    assert not [line for line in lines if not line.startswith("import time:")]


def test_the_command_line_answers_bad_input_in_one_line(dataset: FigureDataset, tmp_path: Path) -> None:
    values = json.loads(dataset.to_json())
    command = [str(SCRIPTS / "draw_figure2.py"), "--dataset", json.dumps(values), "--model", "spade", "SPADE"]
    command += ["--png", str(tmp_path / "f.png"), "--pdf", str(tmp_path / "f.pdf")]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: phantom: no images of spade")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "f.png").exists()
