# ruff: noqa: E501 (a table of sentences)
"""A class's title is free text; what no figure could show, or what would be taken for another class, is refused."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from segguided.config.workflow import load
from support.miniature_config import MINIATURE, SHIPPED, merged


def values(*titles: Any) -> Any:
    """The miniature with these titles of its first classes."""
    read = [yaml.safe_load(Path(path).read_text()) for path in (SHIPPED, MINIATURE)]
    config = merged(*read)
    dataset = config["datasets"][config["grid"]["datasets"][0]]
    classes = copy.deepcopy(dataset["classes"])  # another dataset has the same list
    for known, title in zip(classes, titles, strict=False):
        known["title"] = title
    dataset["classes"] = classes
    return config


def titles_in(*titles: Any) -> list[str | None]:
    config = load(values(*titles))
    return [known.title for known in config.datasets[config.grid.datasets[0]].classes]


@pytest.mark.parametrize(
    "title",
    ["Fibroglandular tissue", "Leber, rechts", "肝", "50 % fat (T1)", "$x$ | <b>", "x" * 60, "肝" * 30],
)
def test_any_letters_are_a_title(title: str) -> None:
    assert titles_in(title)[:2] == [title, None]


def test_spaces_at_the_ends_and_forms_of_letters_make_no_other_title() -> None:
    assert titles_in("  La\u0308sion ")[0] == "Läsion"
    assert titles_in(None)[0] is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([""], "classes[0].title: expected at least one letter, got none; write a title, or leave the key out"),
        (["   "], "classes[0].title: expected at least one letter, got none"),
        (["\u200b"], "classes[0].title: expected at least one letter, got none"),
        ([3], "classes[0].title: expected text, in quotes where it looks like a number, got 3"),
        ([["liver"]], "classes[0].title: expected text"),
        ([True], "title: expected numbers or text, got a truth value; quote a bare yes, no, on or off"),
        (["two\nlines"], "classes[0].title: expected one line of text without control characters, got "),
        (["a\tb"], "classes[0].title: expected one line of text without control characters, got "),
        (["a\x1b[31mb"], r"without control characters, got 'a\\x1b[31mb'"),
        (["a\u202eb"], "classes[0].title: expected one line of text without control characters"),
        (["x" * 61], "classes[0].title: expected at most 60 letters (of Chinese and such half as many), got 'xxxx"),
        (["肝" * 31], "31 letters, which fits no legend; shorten it"),
        (["Same", "Same"], "two classes have the title 'Same'; give each class its own `title`"),
        (["vessels"], "the title of breast is 'vessels', the name of another class; choose another `title`"),
        (["Macro"], "'Macro' has another meaning beside the classes, in tables and figures"),
        (["<!-- x"], "a text may not hold '<!--', which is markup in the report; remove it"),
    ],
)  # fmt: skip
def test_a_bad_title_gets_one_sentence(given: list[Any], words: str) -> None:
    with pytest.raises(ValueError, match=r"^config: ") as refused:
        load(values(*given))
    assert "\n" not in str(refused.value)
    assert words in str(refused.value)
