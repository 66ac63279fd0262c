"""A legend of many classes with long names: nothing is cut or covers another, and no two look alike."""

import itertools

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from segguided.describe.overview import PIXELS, Cell, Overview, draw_contact_sheet
from segguided.figures.blocks import draw_blocks
from segguided.figures.colours import mask_colours, outline_colours
from segguided.figures.legend import cut, legend_columns, text_width
from support.pictures import block, body

SHORT = [f"c{i}" for i in range(12)]
ORGANS = [
    *("left_kidney", "right_kidney", "liver", "spleen", "pancreas", "aorta", "vena_cava_inferior"),
    *("stomach", "gallbladder", "oesophagus", "left_adrenal_gland", "right_adrenal_gland"),
]
LONG = [f"a_class_with_a_name_that_is_as_long_as_a_sentence_{i}" for i in range(12)]
ONE_WORD = ["W" * 40, "m" * 60, "musculussternocleidomastoideusdexterparsclavicularis", *SHORT[:9]]
NAMES = {
    "short": SHORT,
    "organs": ORGANS,
    "long": LONG,
    "one word": ONE_WORD,
    "forty": [*ORGANS, *LONG, *SHORT],
}
NAMES["forty"] += ["left", "right", "up", "down"]


def boxes(figure: Figure, names: list[str]) -> list[tuple[str, Bbox]]:
    """Of the legend's texts and patches and of all other texts."""
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_text()]
    joined = ["".join(text.get_text().split()) for text in texts]
    assert set(names) <= set(joined), "every class is named whole"
    patches = [
        patch for legend in figure.legends for patch in legend.findobj(Rectangle) if patch.get_width() > 5
    ]
    placed = [(name, text.get_window_extent()) for name, text in zip(joined, texts, strict=True)]
    frames = {id(legend.get_frame()) for legend in figure.legends}
    return placed + [("patch", p.get_window_extent()) for p in patches if id(p) not in frames]


def check(figure: Figure, names: list[str]) -> None:
    placed = boxes(figure, names)
    for text, box in placed:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width, text
        assert box.y1 <= figure.bbox.height, text
    for (a, box_a), (b, box_b) in itertools.combinations(placed, 2):
        assert not box_a.shrunk(0.98, 0.98).overlaps(box_b.shrunk(0.98, 0.98)), (a, b)


@pytest.mark.parametrize("names", NAMES.values(), ids=list(NAMES))
@pytest.mark.parametrize("titles", [["mask"], ["mask", "real"], ["mask", "a", "b", "c", "d", "real"]])
def test_a_figures_legend_is_whole(names: list[str], titles: list[str]) -> None:
    colours = mask_colours(dict.fromkeys(names, "white"))
    figure = draw_blocks([block("one", colours, titles, 1), block("two", {"body": "red"}, ["mask"], 1)])
    check(figure, [*names, "body"])


@pytest.mark.parametrize("names", NAMES.values(), ids=list(NAMES))
@pytest.mark.parametrize("patients", [1, 3, 12])
def test_a_contact_sheets_legend_is_whole(names: list[str], patients: int) -> None:
    tile = body(PIXELS)[..., None].repeat(3, axis=-1)
    cells = [Cell(f"p{i}", [tile], [0], lettered=False) for i in range(patients)]
    values = {
        "name": "a-set",
        "classes": [{"name": name, "color": "gray"} for name in names],
        "splits": {"test": [cell.patient for cell in cells]},
        "totals": {"test": patients},
    }
    check(draw_contact_sheet(Overview.model_validate(values), {"test": cells}), names)


@pytest.mark.parametrize(
    "name", [LONG[0] * 2, "W" * 50, "a-dataset_of_the_year-2026-with-all-scanners", "ct"]
)
def test_a_long_name_of_a_dataset_is_whole(name: str) -> None:
    titles = ["mask", "WWWWWWWWWWWWWWWWWW", "real image"]
    blocks = [block(name, {"a": "red"}, titles[:n], 1) for n in (1, 3)]
    check(draw_blocks(blocks), ["a"])
    check(draw_blocks(blocks, stacked=True), ["a"])
    tile = body(PIXELS)[..., None].repeat(3, axis=-1)
    values = {"name": name, "classes": [{"name": "a", "color": "red"}]}
    values |= {"splits": {"test": ["p"]}, "totals": {"test": 1}}
    check(draw_contact_sheet(Overview.model_validate(values), {"test": [Cell("p", [tile], [0])]}), ["a"])


@pytest.mark.parametrize("width", [0.5, 0.92, 2.0])
@pytest.mark.parametrize("name", [*ORGANS[:3], LONG[0], *ONE_WORD[:3], "a-b-c", "x"])
def test_a_cut_name_keeps_all_its_letters_and_fits(name: str, width: float) -> None:
    lines = cut(name, width)
    assert "".join(lines) == name
    assert all(text_width(line) <= width for line in lines)
    assert all(line[-1] in "_-" for line in cut(LONG[0], 0.92)[:-1]), "behind a word where one fits"


def test_short_names_stand_side_by_side() -> None:
    assert legend_columns(SHORT, 8.0) == 12
    assert legend_columns(LONG, 8.0) == 2
    assert legend_columns(LONG, 2.0) == 1


GIVEN = [
    dict.fromkeys(ORGANS, "white"),  # what a class has that names none
    dict.fromkeys(ORGANS, "red"),
    {name: ["red", "#ff0000", "r", "lime"][i % 4] for i, name in enumerate(ORGANS)},
    dict.fromkeys([*ORGANS, *LONG, *SHORT], "black"),
    {name: f"{i / 40}" for i, name in enumerate([*ORGANS, *LONG])},  # greys
]


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("choose", [mask_colours, outline_colours])
def test_no_two_classes_look_alike_nor_like_the_background(given: dict[str, str], choose: object) -> None:
    assert callable(choose)
    chosen = choose(given)
    assert list(chosen) == list(given)
    rgb = [to_rgb(colour) for colour in chosen.values()]
    assert len(set(rgb)) == len(given)
    assert (0, 0, 0) not in rgb


def test_colours_that_differ_stay() -> None:
    given = {"a": "white", "b": "red", "c": "blue", "d": "dimgray"}
    assert mask_colours(given) == given
    assert outline_colours(given) == {"a": "yellow", "b": "red", "c": "blue", "d": "cyan"}
    assert mask_colours({"a": "red", "b": "red"}) == {"a": "red", "b": "yellow"}


def test_the_first_twelve_hues_are_far_apart() -> None:
    rgb = [to_rgb(colour) for colour in mask_colours(dict.fromkeys(SHORT, "white")).values()]
    for first, second in itertools.combinations(rgb, 2):
        assert max(abs(a - b) for a, b in zip(first, second, strict=True)) > 0.2, (first, second)
