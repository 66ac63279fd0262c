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
warnings.filterwarnings("ignore", r"Glyph .* missing from")  # `families` reports it once, with what to do


@cache
def families(text: str, family: str = SANS) -> tuple[str, ...]:
    """The family, and others for the letters of the text that it lacks.

    Letters that no font has are named in the log, and appear as boxes.
    """
    lacking = {letter for letter in text if letter.isprintable()} - _letters(findfont(family))
    names = [family]
    for name, path in _installed() if lacking else ():
        known = lacking & _letters(path)
        if known:
            names.append(name)
            lacking -= known
    unreported = lacking - _REPORTED  # the parts of a name are measured too, and would report again
    if unreported:
        _REPORTED.update(unreported)
        LOG.warning(
            "no font on this machine has %s, of '%s': shown as boxes; install one that has, such as Noto",
            " ".join(sorted(unreported)),
            text,
        )
    return tuple(names)


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
