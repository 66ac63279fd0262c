"""Texts of the configuration, which appear in figures, tables, logs and the report: no codes, no markup."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from segguided.shown import UNSHOWN, printable

# Snakemake's report holds titles, paths and citations inside a script element, which these would end.
ENDS_SCRIPT = re.compile(r"</script|<!--", re.IGNORECASE)
SEVERAL_LINES = "about"  # texts of this section may have line breaks


def _composed(text: str) -> str:
    """The text in Unicode's composed form: some systems write ä as an a and two dots."""
    return unicodedata.normalize("NFC", text)


# The name of a class becomes a column and an argument, and appears in figures; letters of any language.
ClassName = Annotated[str, Field(pattern=r"^\w[\w-]*$"), AfterValidator(_composed)]

WIDEST_TITLE = 60  # of a class: so many Latin letters, or half as many Chinese ones
WIDE = ("W", "F")  # letters of these East Asian widths are as wide as two others


def usable_title(title: object) -> Any:
    """The title of a class in Unicode's composed form, without spaces at its ends.

    Raises ValueError for one that is empty, has control characters or line breaks, or is too wide for the
    legend of a figure. What is no text is left to pydantic.
    """
    if not isinstance(title, str):
        return title
    composed = _composed(title.strip())
    if not any(unicodedata.category(letter)[0] in "LNPS" for letter in composed):
        raise ValueError("expected at least one letter, got none; write a title, or leave the key out")
    if UNSHOWN.search(composed) or "\n" in composed or "\t" in composed:
        shown = repr(printable(composed[:60]))
        raise ValueError(f"expected one line of text without control characters, got {shown}; correct it")
    width = sum(1 + (unicodedata.east_asian_width(letter) in WIDE) for letter in composed)
    if width > WIDEST_TITLE:
        raise ValueError(
            f"expected at most {WIDEST_TITLE} letters (of Chinese and such half as many), got "
            f"'{composed[:20]}…', {len(composed)} letters, which fits no legend; shorten it"
        )
    return composed


# How figures and reports call a class: free text, in letters of any language.
ClassTitle = Annotated[str, BeforeValidator(usable_title)]


def check_texts(values: Mapping[str, object]) -> None:
    """Raise ValueError, one line a mistake, for control characters and for markup in the report."""
    sentences = [_mistake(place, text) for place, text in _texts(values, "")]
    mistakes = [f"config: {sentence}" for sentence in sentences if sentence]
    if mistakes:
        raise ValueError("\n".join(mistakes))


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Where each text is, and the text."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _texts(entry, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for number, entry in enumerate(value):
            yield from _texts(entry, f"{place}[{number}]")


def _mistake(place: str, text: str) -> str:
    """The sentence on what is wrong with a text; empty where nothing is."""
    broken = "\n" in text.strip() and SEVERAL_LINES not in place.split(".")
    if broken or UNSHOWN.search(text):
        shown = repr(printable(text[:60]))
        return f"{place}: expected one line of text without control characters, got {shown}; correct it"
    if match := ENDS_SCRIPT.search(text):
        return f"{place}: a text may not hold '{match[0]}', which is markup in the report; remove it"
    return ""
