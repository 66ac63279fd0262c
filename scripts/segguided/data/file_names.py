"""Mask ids become names of files and of a zip's members: each must be one, and stay where it belongs."""

import unicodedata
from collections.abc import Sequence

from segguided.shown import printable

RENAME = "rename the slice where it comes from and prepare the patient again"
LONGEST = 200  # bytes; file systems allow 255, and endings are added
FORBIDDEN = '/\\:*?"<>|'  # leads to another folder here, or is no name where others unpack the files


def check_names(names: Sequence[str], where: str) -> None:
    """Raise ValueError for a mask id that cannot name a file everywhere, and for two that name the same one.

    Names that differ in case or in their Unicode form alone are one file on some systems.
    """
    seen: dict[str, str] = {}
    for name in names:
        if reason := _reason(name):
            raise ValueError(f"{where}: the mask id {_shown(name)} {reason}, so it names no file; {RENAME}")
        same = unicodedata.normalize("NFC", name).casefold()
        if same in seen:
            raise ValueError(
                f"{where}: the mask ids {_shown(seen[same])} and {_shown(name)} are one file's name on some "
                f"systems; {RENAME}"
            )
        seen[same] = name


def _reason(name: str) -> str:
    if not name or name in (".", "..") or name != name.strip() or name.endswith("."):
        return "is empty, dots, or begins or ends with a space or dot"
    if found := sorted(set(name) & set(FORBIDDEN)):
        return f"holds {' '.join(found)}"
    if printable(name) != name or not name.isprintable():
        return "holds a control character"
    if len(name.encode()) > LONGEST:
        return f"has over {LONGEST} bytes"
    return ""


def _shown(name: str) -> str:
    return repr(printable(name[:80]))
