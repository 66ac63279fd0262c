"""Any name can be drawn: letters that the usual font lacks, dollars, and what is markup elsewhere."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager
from PIL import Image

from segguided.figures import fonts
from segguided.figures.blocks import Block, Column, draw_blocks, save_figure
from segguided.figures.legend import cut
from segguided.tables.entries import Entry, SheetColumn
from segguided.tables.sheet import Sheet, SheetRow
from segguided.tables.typeset import draw_sheet

NAMES = (
    "$x^2$", "$\\frac{", "100 $ and $ more", "a_b^c", "\\alpha \\$x\\$", "<b>&amp;</b>|",
    "Läsion", "肝臓", "_left",
    "Печень", "m and m_gen $", "x" * 120, "",
)  # fmt: skip
TILE = np.full((16, 16), 99, np.uint8)


def block(name: str) -> Block:
    return Block("ct", [Column("mask", [TILE]), Column(name, [TILE])], {name: "red", "bone": "white"})


def sheet(name: str) -> Sheet:
    columns = (SheetColumn("Dice(m_gen, m)", (Entry("0.9", "[0.1]", 1), Entry("0.8", "", 2))),)
    return Sheet(1, "faithfulness", (SheetRow("ct", name), SheetRow("ct", "SPADE")), columns, ("m: x",))


@pytest.fixture
def no_new_fonts() -> Iterator[None]:
    installed = list(fontManager.ttflist)
    fonts.families.cache_clear()
    fonts._REPORTED.clear()
    fonts._REPLACED.clear()
    yield
    fontManager.ttflist[:] = installed
    fonts.families.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_drawn(name: str, tmp_path: Path) -> None:
    figure = draw_blocks([block(name)])
    assert name in [text.get_text().replace("\n", "") for text in figure.legends[0].get_texts()]
    assert not any(text.get_parse_math() for text in figure.legends[0].get_texts())
    lines = "".join(text.get_text() for text in figure.texts).split()
    assert set("".join(lines)) >= set("".join(name.split()))
    save_figure(figure, tmp_path / "a.png", tmp_path / "a.pdf")
    save_figure(draw_sheet(sheet(name)), tmp_path / "b.png", tmp_path / "b.pdf")


@pytest.mark.parametrize("name", ["_left", "_"])
def test_a_leading_underscore_stays_in_the_legend(name: str, tmp_path: Path) -> None:
    """Its patch as well: red is seen beside it."""
    save_figure(draw_blocks([block(name)]), tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert (pixels == [255, 0, 0]).all(axis=-1).any()


def make_font(path: Path, letters: str) -> Path:
    """A font that shows each of the letters as a black square."""
    pen = TTGlyphPen(None)
    corners = [(0, 0), (0, 1000), (1000, 1000), (1000, 0)]
    pen.moveTo(corners[0])
    for corner in corners[1:]:
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(letter): "square" for letter in letters})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 0)})
    builder.setupHorizontalHeader(ascent=1000, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def test_another_font_helps_out(tmp_path: Path, no_new_fonts: None, caplog: pytest.LogCaptureFixture) -> None:
    for number, letters in enumerate(("肝", "臓"), 1):
        fontManager.addfont(make_font(tmp_path / f"Square{number}.ttf", letters))
    assert fonts.families("肝臓 x") == (fonts.SANS, "Square1", "Square2")
    assert fonts.families("liver, Läsion") == (fonts.SANS,)
    save_figure(draw_blocks([block("肝臓")]), tmp_path / "a.png", tmp_path / "a.pdf")
    save_figure(draw_sheet(sheet("肝臓")), tmp_path / "b.png", tmp_path / "b.pdf")
    assert [record.getMessage() for record in caplog.records if record.name == "segguided"] == []


def test_the_letters_of_a_long_name_are_named_once(
    no_new_fonts: None, caplog: pytest.LogCaptureFixture
) -> None:
    """It is measured a letter shorter each time, until it fits its line."""
    assert len(cut("肝臓" * 20, 1.0)) > 1
    assert len([record for record in caplog.records if "no font" in record.getMessage()]) == 1


def test_lacking_letters_are_named_once(no_new_fonts: None, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert fonts.families("liver 肝") == (fonts.SANS,)
    (record,) = caplog.records
    assert "no font on this machine has 肝, of 'liver 肝': shown as boxes" in record.getMessage()


def test_a_title_that_no_font_can_show_gives_way_to_the_name(
    tmp_path: Path, no_new_fonts: None, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert fonts.drawable("肝", "liver") == "liver"
    (record,) = caplog.records
    assert "has 肝, of the title '肝': figures call the class liver; install a font" in record.getMessage()
    assert fonts.drawable("Leber, rechts", "liver") == "Leber, rechts"
    assert fonts.drawable("肝 1", "肝") == "肝 1", "its name could be shown no better"
    fontManager.addfont(make_font(tmp_path / "Square.ttf", "肝"))
    assert fonts.drawable("肝", "liver") == "肝"
    assert len(caplog.records) == 1


def test_settings_of_the_machine_change_nothing(tmp_path: Path) -> None:
    settings = "text.usetex: True\nfont.family: monospace\ntext.parse_math: False\nlegend.shadow: True\n"
    (tmp_path / "matplotlibrc").write_text(settings)
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from test_fonts import block, draw_blocks, draw_sheet, save_figure, sheet\n"
        "from pathlib import Path\n"
        "save_figure(draw_blocks([block('liver')]), Path('a.png'))\n"
        "save_figure(draw_sheet(sheet('liver')), Path('b.png'))\n"
    )
    tests = Path(__file__).parent
    for folder in (tmp_path, tmp_path / "plain"):
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-c", script, str(tests), str(tests.parents[1] / "scripts")]
        subprocess.run(command, check=True, cwd=folder)
    for name in ("a.png", "b.png"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
