"""Fonts for any letters: where a figure's own font lacks some, others on this machine that have them."""

import logging
import warnings
from collections.abc import Iterator
from functools import cache

from matplotlib.font_manager import findfont, fontManager, get_font

LAST_RESORT = "Last Resort"  # comes with matplotlib: a box for every letter
SANS = "DejaVu Sans"  # matplotlib's own
LOG = logging.getLogger("segguided")
_TOLD: set[str] = set()  # letters that no font has
warnings.filterwarnings("ignore", r"Glyph .* missing from")  # told below, once and with what to do


@cache
def families(text: str, family: str = SANS) -> tuple[str, ...]:
    """The family, and others for the letters of the text that it lacks.

    Letters that no font has are named in the log, and shown as boxes.
    """
    lacking = {letter for letter in text if letter.isprintable()} - _letters(findfont(family))
    found = [family]
    for name, path in _installed() if lacking else ():
        known = lacking & _letters(path)
        if known:
            found.append(name)
            lacking -= known
    untold = lacking - _TOLD  # one name is measured in many parts
    if untold:
        _TOLD.update(untold)
        LOG.warning(
            "no font on this machine has %s, of '%s': shown as boxes; install one that has, such as Noto",
            " ".join(sorted(untold)),
            text,
        )
    return tuple(found)


@cache
def _letters(path: str) -> frozenset[str]:
    """All that a font can show."""
    return frozenset(map(chr, get_font(path).get_charmap()))


def _installed() -> Iterator[tuple[str, str]]:
    """Name and file of each usual font, .ttf first, which PDFs hold best; always in the same order."""
    usual = {
        (not font.fname.endswith(".ttf"), font.name, font.fname)
        for font in fontManager.ttflist
        if font.style == "normal" and font.weight == 400 and not font.name.startswith(LAST_RESORT)
    }
    for _, name, path in sorted(usual):
        yield name, path


def style_of(text: str) -> dict[str, list[str]]:
    """The style that other letters than the usual font's ask for."""
    found = families(text)
    return {"family": list(found)} if len(found) > 1 else {}
