"""Mask ids become names of files, on disk and in zip archives: checks that each is a safe file name."""

from collections.abc import Sequence

from segguided.listing import composed
from segguided.shown import printable

RENAME = "rename the slice where it comes from and prepare the patient again"
MOST_BYTES = 200  # of a mask id; file systems allow 255, and endings are added
FORBIDDEN = '/\\:*?"<>|'  # they lead to another folder, or Windows allows them in no file name


def check_names(names: Sequence[str], where: str) -> None:
    """Raise ValueError for a mask id that is no file name on every system, and for two that name one file.

    Names that differ only in case or in their Unicode form are the same file on some systems. `where` names
    the file that holds the mask ids.
    """
    seen: dict[str, str] = {}
    for name in names:
        defect = _defect(name)
        if defect:
            raise ValueError(f"{where}: the mask id {_shown(name)} {defect}, so it names no file; {RENAME}")
        key = composed(name).casefold()
        if key in seen:
            raise ValueError(
                f"{where}: the mask ids {_shown(seen[key])} and {_shown(name)} are one file's name on some "
                f"systems; {RENAME}"
            )
        seen[key] = name


def _defect(name: str) -> str:
    """Why the name is no file name, as a clause; empty where it is one."""
    if not name or name in (".", "..") or name != name.strip() or name.endswith("."):
        return "is empty, dots, or begins or ends with a space or dot"
    forbidden = sorted(set(name) & set(FORBIDDEN))
    if forbidden:
        return f"holds {' '.join(forbidden)}"
    if printable(name) != name or not name.isprintable():
        return "holds a control character"
    if len(name.encode()) > MOST_BYTES:
        return f"has over {MOST_BYTES} bytes"
    return ""


def _shown(name: str) -> str:
    return repr(printable(name[:80]))
