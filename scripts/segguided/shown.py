"""Text from elsewhere, made fit to be shown: no terminal codes, no passwords, no markup but our own."""

import re

# Control characters but tab and line feed, separators that some viewers take for line ends, marks that turn
# the direction of writing, and halves of characters (undecodable file names).
UNSHOWN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
LOGIN = re.compile(r"(?<=://)[^/\s'\"<>]*@")  # user and password of an address
QUERY = re.compile(r"(https?://[^\s?'\"<>]+|\burl: /[^\s?'\"<>]*)\?[^\s'\"<>)]+")  # may hold a signature


def printable(text: str) -> str:
    r"""The text with what a terminal would obey written out, such as \x1b; tabs and line feeds stay."""
    return UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def without_secrets(text: str) -> str:
    """The text without the logins and queries of the addresses in it."""
    return QUERY.sub(r"\1?…", LOGIN.sub("***@", text))
