"""Text from elsewhere, made safe to show: no terminal codes, no passwords, no foreign markup."""

import re
from collections.abc import Sequence

# Control characters except tab and line feed, separators that some viewers take for line ends, marks that
# change the direction of writing, and halves of characters (from file names that cannot be decoded).
UNSHOWN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
LOGIN = re.compile(r"(?<=://)[^/\s'\"<>]*@")  # user and password of an address
QUERY = re.compile(r"(https?://[^\s?'\"<>]+|\burl: /[^\s?'\"<>]*)\?[^\s'\"<>)]+")  # may hold a signature

# Characters that are markup in Markdown. An underscore inside a word is none.
EMPHASIS = re.compile(r"[\\`*\[\]|]|~(?=~)|(?<![^\W_])_|_(?![^\W_])|^[#>+-]")
ENTITY = re.compile(r"&(?=#?\w+;)")


def printable(text: str) -> str:
    r"""The text with terminal codes written out, such as \x1b; tabs and line feeds stay."""
    return UNSHOWN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def some(values: Sequence[object], most: int = 5) -> str:
    """The values, or the first `most` of many and how many more there are."""
    text = ", ".join(map(str, values[:most]))
    return f"{text} and {len(values) - most} more" if len(values) > most else text


def without_secrets(text: str) -> str:
    """The text without the logins and queries of the addresses in it."""
    return QUERY.sub(r"\1?…", LOGIN.sub("***@", text))


def markdown(text: str) -> str:
    """The text as one line of Markdown that shows it as it is."""
    line = printable(" ".join(text.split()))
    return EMPHASIS.sub(r"\\\g<0>", ENTITY.sub("&amp;", line)).replace("<", "&lt;")


def code(text: str) -> str:
    """The text as a code span of Markdown, between more backticks than it holds in a row."""
    line = printable(" ".join(text.split()))
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def code_block(text: str, language: str) -> str:
    """The lines of the text as a block of code of Markdown."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{printable(text)}\n{fence}"
