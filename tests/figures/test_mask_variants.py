"""Figures 3, 4 and 6: the right tiles in the right places, nothing clipped, from small sets on disk."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

import draw_figure3
import draw_figure4
import draw_figure6
from segguided.cli import call
from segguided.data.slices import SliceSet, Stack, write_stack
from segguided.figures.blocks import draw_blocks
from segguided.figures.panels import MASK, read_panels
from segguided.figures.partial_masks import SHOWN, ModelImages, partial_block
from segguided.figures.settings import FigureDataset
from segguided.figures.similarity import similarity_block
from segguided.generation.partial_masks import slices_of_several_classes
from segguided.generation.variants import write_variants

CLASSES = ({"name": "a", "color": "red"}, {"name": "b", "color": "blue"})
GREY = {"mat": 40, "std": 80}  # a model's images; plus 1 a variant


@pytest.fixture
def dataset(tmp_path):
    """Eight slices, and both models' images: three of the full mask and three of class b alone."""
    masks_SHW = np.ones((8, 6, 6), np.uint8)
    masks_SHW[:, 3:] = 2
    stack = Stack("p", masks_SHW * 100, masks_SHW, np.arange(8.0), {"classes": ["a", "b"]})
    write_stack(tmp_path / "p.npz", stack)
    names = slices_of_several_classes(SliceSet([stack]), 8).names
    for model, grey in GREY.items():
        labels = [f"{kept}/{draw}" for kept in ("all", "2") for draw in range(3)]
        images = {label: np.full((8, 6, 6), grey + i, np.uint8) for i, label in enumerate(labels)}
        write_variants(tmp_path / f"{model}.npz", images, names)
    similar = {
        f"{share}/{number}": np.full((8, 6, 6), i + 9 * number, np.uint8)
        for i, share in enumerate(("0", "0.5", "1"))
        for number in (0, 1)
    }
    write_variants(tmp_path / "similar.npz", similar, names)
    curve = pd.DataFrame({"lambda": [0, 0.5, 1], "ssim": [0.2, 0.5, 0.9], "dice_macro": [0.4, 0.6, 0.8]})
    curve = curve.assign(diversity_a=[0.7, 0.5, 0.3], diversity_b=[0.8, 1.4, 0.2])
    curve.to_csv(tmp_path / "curve.csv")
    generated = {model: tmp_path / f"{model}.npz" for model in GREY}
    return FigureDataset(name="set", classes=CLASSES, slices=(tmp_path / "p.npz",), generated=generated)


def similar(dataset):
    folder = dataset.slices[0].parent
    return dataset.model_copy(update={"generated": {"mat": folder / "similar.npz"}}), folder / "curve.csv"


def test_rows_are_conditions_and_columns_are_draws(dataset):
    block = partial_block(dataset, [ModelImages("mat", "MAT", 3), ModelImages("std", "STD", 2)], (1,))
    titles = ["mask", *(f"MAT {i}" for i in (1, 2, 3)), *(f"STD {i}" for i in (1, 2))]
    assert [column.title for column in block.columns] == titles
    greys = [[int(tile[0, 0]) for tile in column.tiles] for column in block.columns[1:]]
    assert greys == [[40, 43], [41, 44], [42, 45], [80, 83], [81, 84]]
    assert block.rows == ["full mask", "free: a"]
    full, partial = block.columns[0].tiles
    assert full[0, 0].tolist() == [255, 0, 0]
    assert partial[0, 0].tolist() == [0, 0, 0], "the removed class is background"
    assert partial[5, 0].tolist() == full[5, 0].tolist() == [0, 0, 255]


def test_figures_3_and_6_show_different_slices(dataset):
    shown = [set(module.PLACES) for module in (draw_figure3, draw_figure6)]
    assert not shown[0] & shown[1]
    assert shown[0] | shown[1] == set(range(SHOWN))
    block = partial_block(dataset, [ModelImages("mat", "MAT", 1)], draw_figure6.PLACES)
    assert block.n_rows == 2 * len(draw_figure6.PLACES)


def test_a_model_without_images_is_named(dataset):
    with pytest.raises(ValueError, match="set: no images of spade; there are mat, std"):
        partial_block(dataset, [ModelImages("spade", "SPADE", 1)], (1,))


def test_similarity_runs_from_the_partial_mask_to_the_real_image(dataset):
    block = similarity_block(*similar(dataset)[:1], ["b"], similar(dataset)[1], 3)
    assert [c.title for c in block.columns] == ["mask: b", "λ = 0", "λ = 0.5", "λ = 1", "real image"]
    assert [int(column.tiles[0][0, 0]) for column in block.columns[1:]] == [0, 1, 2, 100]
    figure = draw_blocks([block])
    likeness, diversity = [axes for axes in figure.axes if axes.lines]
    assert [line.get_ydata().tolist() for line in likeness.lines] == [[0.2, 0.5, 0.9], [0.4, 0.6, 0.8]]
    assert [line.get_ydata().tolist() for line in diversity.lines] == [[0.7, 0.5, 0.3], [0.8, 1.4, 0.2]]
    assert [line.get_color() for line in diversity.lines] == ["red", "blue"]
    assert [line.get_linestyle() for line in diversity.lines] == ["--", "-"], "a is free"
    assert diversity.get_ylim()[1] > 1.4
    inside(figure)


def test_titles_take_the_place_of_names_where_people_read(dataset):
    title = "Fibroglandular tissue of the breast, left and right"
    classes = ({"name": "a", "color": "red", "title": title}, CLASSES[1])
    titled = FigureDataset.model_validate(dataset.model_dump() | {"classes": classes})
    partial = partial_block(titled, [ModelImages("mat", "MAT", 1)], (1,))
    assert partial.rows == ["full mask", f"free: {title}"]
    whole = similarity_block(similar(titled)[0], ["a"], similar(titled)[1], 3)
    assert whole.columns[0].title == f"mask: {title}"
    for block in (
        partial,
        whole,
        read_panels(titled.model_copy(update={"generated": {}}), 2).block([(MASK, "m")]),
    ):
        assert block.colours == {title: "red", "b": "blue"}
        figure = draw_blocks([block])
        shown = [" ".join(text.get_text().split()) for text in figure.legends[-1].get_texts()]
        assert shown == [title, "b"]
        inside(figure)


def inside(figure: Figure) -> None:
    """Every text and plot lies on the canvas."""
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for artist in [*figure.texts, *figure.axes, *figure.legends]:
        box = artist.get_tightbbox(figure.canvas.get_renderer())
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, artist


@pytest.mark.parametrize("module", [draw_figure3, draw_figure6])
def test_partial_figures_are_drawn_by_their_scripts(dataset, tmp_path, monkeypatch, module):
    outputs = [tmp_path / name for name in ("figure.png", "figure.pdf", "again.png", "again.pdf")]
    for png, pdf in (outputs[:2], outputs[2:]):
        models = ["--model", "mat", "MAT", *(["--model", "std", "STD"] if module is draw_figure3 else [])]
        arguments = ["--dataset", dataset.model_dump_json(), *models, "--png", png, "--pdf", pdf]
        function = getattr(module, module.__name__)
        call(function, module.command_line(), words=[*map(str, arguments)])
    assert outputs[0].read_bytes() == outputs[2].read_bytes()
    assert outputs[1].read_bytes() == outputs[3].read_bytes()
    pixels = np.asarray(Image.open(outputs[0]).convert("RGB"))
    assert {(255, 0, 0), (0, 0, 255), (40, 40, 40), (43, 43, 43)} <= {tuple(p) for p in pixels.reshape(-1, 3)}


def test_figure_4_is_drawn_by_its_script(dataset, tmp_path, monkeypatch):
    similar_set, curve = similar(dataset)
    arguments = ["--dataset", similar_set.model_dump_json(), "--kept", '{"set": ["b"]}', "--curves", curve]
    arguments += ["--png", tmp_path / "figure.png", "--pdf", tmp_path / "figure.pdf"]
    call(draw_figure4.draw_figure4, draw_figure4.command_line(), words=[*map(str, arguments)])
    assert Image.open(tmp_path / "figure.png").width > 1000
    assert (tmp_path / "figure.pdf").stat().st_size > 1000
