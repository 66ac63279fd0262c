"""Fonts for any letters: another font of this machine has those that a figure's own font lacks."""

import logging
import warnings
from collections.abc import Iterator
from functools import cache

from matplotlib.font_manager import findfont, fontManager, get_font

LAST_RESORT = "Last Resort"  # comes with matplotlib: a box for every letter
SANS = "DejaVu Sans"  # matplotlib's own
LOG = logging.getLogger("segguided")
_REPORTED: set[str] = set()  # letters that no font has
_REPLACED: set[str] = set()  # titles with such letters, whose classes are called by their names
warnings.filterwarnings("ignore", r"Glyph .* missing from")  # `families` reports it once, with what to do


@cache
def families(text: str, family: str = SANS) -> tuple[str, ...]:
    """The family, and others for the letters of the text that it lacks.

    Letters that no font has are named in the log, and appear as boxes.
    """
    names, lacking = _search(text, family)
    unreported = lacking - _REPORTED  # the parts of a name are measured too, and would report again
    if unreported:
        _REPORTED.update(unreported)
        LOG.warning(
            "no font on this machine has %s, of '%s': shown as boxes; install one that has, such as Noto",
            " ".join(sorted(unreported)),
            text,
        )
    return names


def drawable(title: str, name: str) -> str:
    """The title; the name where no font has all letters of the title, but some fonts have those of the name.

    The log says so.
    """
    _, lacking = _search(title, SANS)
    if not lacking or _search(name, SANS)[1]:
        return title
    if title not in _REPLACED:
        _REPLACED.add(title)
        LOG.warning(
            "no font on this machine has %s, of the title '%s': figures call the class %s; install a font "
            "that has, such as Noto",
            " ".join(sorted(lacking)),
            title,
            name,
        )
    return name


def _search(text: str, family: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """The fonts that a text needs, `family` first, and the letters that none of this machine's has."""
    lacking = {letter for letter in text if letter.isprintable()} - _letters(findfont(family))
    names = [family]
    for name, path in _installed() if lacking else ():
        known = lacking & _letters(path)
        if known:
            names.append(name)
            lacking -= known
    return tuple(names), frozenset(lacking)


@cache
def _letters(path: str) -> frozenset[str]:
    """All letters that a font can show."""
    return frozenset(map(chr, get_font(path).get_charmap()))


def _installed() -> Iterator[tuple[str, str]]:
    """Name and file of each regular font, always in the same order; .ttf first, which suit PDFs best."""
    usual = {
        (not font.fname.endswith(".ttf"), font.name, font.fname)
        for font in fontManager.ttflist
        if font.style == "normal" and font.weight == 400 and not font.name.startswith(LAST_RESORT)
    }
    for _, name, path in sorted(usual):
        yield name, path


def style_of(text: str) -> dict[str, list[str]]:
    """The font families for a text; none where the usual font has all its letters."""
    names = families(text)
    return {"family": list(names)} if len(names) > 1 else {}
