"""Texts of the configuration get into figures, tables, logs and the report: none may be more than a text."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from segguided.shown import UNSHOWN, printable

# Snakemake's report holds titles, paths and citations inside a script element, which these would end.
ENDS_SCRIPT = re.compile(r"</script|<!--", re.IGNORECASE)
SEVERAL_LINES = "about"  # the section whose texts may have line breaks


def _composed(text: str) -> str:
    """The text in the Unicode form that is usual, where some systems write ä as a and two dots."""
    return unicodedata.normalize("NFC", text)


# Of a class: becomes a column and an argument, and stands in figures; letters of any language.
ClassName = Annotated[str, Field(pattern=r"^\w[\w-]*$"), AfterValidator(_composed)]


def check_texts(values: Mapping[str, object]) -> None:
    """Raise ValueError, one line a mistake, for control characters and for markup in the report."""
    wrong = [sentence for place, text in _texts(values, "") if (sentence := _mistake(place, text))]
    if wrong:
        raise ValueError("\n".join(f"config: {sentence}" for sentence in wrong))


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Every text, and where it stands."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(one, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _texts(one, f"{place}[{number}]")


def _mistake(place: str, text: str) -> str:
    lines = "\n" in text.strip() and SEVERAL_LINES not in place.split(".")
    if lines or UNSHOWN.search(text):
        shown = repr(printable(text[:60]))
        return f"{place}: expected one line of text without control characters, got {shown}; correct it"
    if found := ENDS_SCRIPT.search(text):
        return f"{place}: a text may not hold '{found[0]}', which is markup in the report; take it out"
    return ""
