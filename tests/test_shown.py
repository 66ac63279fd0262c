"""What comes from elsewhere is shown as it is: in Markdown, in tables of it, and where it would be markup."""

import html
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from segguided.config.checks.texts import check_texts
from segguided.config.classes import AnatomyClass
from segguided.config.workflow import load
from segguided.shown import UNSHOWN, code, code_block, markdown, printable
from segguided.tables.pipes import pipe_table

RENDER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
TEXTS = (
    "</script><script>alert(1)</script>", "<b>bold</b>", "a & b &amp; c &#60;", "a|b\\|c", "`code` ``x",
    "*a* _b_ __c__",
    "left_lung_ _x", "[x](javascript:alert(1))", "![i](x)", "one\n\ntwo\n# three",
    "~~gone~~ ~home", "- a", "> b",
    "\\*c\\", "Läsion 肝臓", "$x^2$ =cmd()", "a<", "<!-- x",
)  # fmt: skip
MARKUP = st.text(alphabet=st.sampled_from("ab_*`<>&|[]()!\\~#;=\n ä肝$-+.x1/\x1b"), max_size=30)


def text_of(rendered: str) -> str:
    return html.unescape(re.sub(r"</?(p|em|strong|td|code)>|\n", "", rendered))


def line_of(text: str) -> str:
    return printable(" ".join(text.split()))


def check_markdown(text: str) -> None:
    rendered = RENDER.renderInline(markdown(text))
    assert not re.search(r"<[^>]", rendered)
    assert html.unescape(rendered) == line_of(text)


def check_table(text: str) -> None:
    """Of two columns, whatever a cell holds."""
    rendered = RENDER.render(pipe_table(["a", "b"], [[markdown(text), "x"]]))
    cells = re.findall(r"<td>(.*?)</td>", rendered, re.DOTALL)
    assert [html.unescape(cell) for cell in cells] == [line_of(text), "x"]


@pytest.mark.parametrize("text", TEXTS)
def test_markdown_shows_the_text(text: str) -> None:
    check_markdown(text)
    check_table(text)


@settings(max_examples=500, deadline=None)
@given(MARKUP)
def test_markdown_shows_any_text(text: str) -> None:
    check_markdown(text)
    check_table(text)


@settings(max_examples=300, deadline=None)
@given(MARKUP)
def test_code_shows_any_text(text: str) -> None:
    line = line_of(text)
    if line:
        assert RENDER.renderInline(code(text)) == f"<code>{html.escape(line)}</code>".replace("&#x27;", "'")
    block = RENDER.render(code_block(text, "sh"))
    assert block.startswith('<pre><code class="language-sh">') and block.count("<pre>") == 1
    assert (
        html.unescape(block[len('<pre><code class="language-sh">') :])
        == f"{printable(text)}\n</code></pre>\n"
    )


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_printable_leaves_nothing_to_obey(text: str) -> None:
    assert not UNSHOWN.search(printable(text))
    assert printable(printable(text)) == printable(text)
    printable(text).encode()


def test_letters_of_double_width_align() -> None:
    lines = pipe_table(["class", "n"], [["肝臓", "1"], ["bone", "2"]]).splitlines()
    assert lines[2:] == ["| 肝臓  | 1 |", "| bone  | 2 |"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"models": {"x": {"title": "</script>"}}}, "models.x.title: a text may not hold '</script'"),
        ({"a": ["x", {"b": "</SCRIPT x"}]}, r"a\[1\].b: a text may not hold '</SCRIPT'"),
        ({"about": {"citation": "<!-- x"}}, "about.citation: a text may not hold '<!--'"),
        ({"t": "two\nlines"}, "t: expected one line of text"),
        ({"t": "\x1b[31mred"}, r"t: expected one line of text .*x1b"),
        ({"t": "\u202ex"}, r"t: expected one line of text .*u202e"),
        ({"about": {"citation": "a\rb"}}, "about.citation: expected one line"),
    ],
)
def test_texts_of_the_configuration(values: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=f"config: {expected}"):
        check_texts(values)


def test_plain_texts_stay() -> None:
    check_texts(
        {"about": {"citation": "two\nlines\n"}, "t": "a < b & c > d <b> | $x$ Läsion 肝臓", "n": 3, "z": None}
    )
    with pytest.raises(ValueError, match="missing"):  # what else is wrong comes first
        load({"models": {"x": {"title": "</script>"}}})


@pytest.mark.parametrize("name", ["Läsion", "肝臓", "Печень", "_left", "left-lung_2", "ひだり"])
def test_names_of_classes_in_any_language(name: str) -> None:
    given = {"name": unicodedata.normalize("NFD", name), "file": "x", "segment": name}
    assert AnatomyClass.model_validate(given).name == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    "name", ["", "-a", "a b", "a/b", "a.b", "=a", "<b>", "a|b", "肝\n臓", "a$b", "..", "…"]
)
def test_names_that_are_more_than_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        AnatomyClass(name=name)
