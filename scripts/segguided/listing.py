"""Folders that are listed: which files count, and which are passed over for a reason that is told."""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HIDDEN = "hidden, such as macOS's resource forks ._*"
BY_A_SYSTEM = "written by the system that shows the folder"
OTHER = "of another kind"
SYSTEM_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))
SYSTEM_FOLDERS = frozenset(("__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"))


@dataclass
class Listing:
    """What a folder holds: files and folders that count, by name, and what is passed over, by reason.

    Names are in Unicode's composed form (NFC), in whichever form the disk has them; paths are the disk's own.
    """

    root: Path
    files: dict[str, Path] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    passed: dict[str, list[str]] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """A sentence for each reason for which something was passed over."""
        return [
            f"{self.root}: passed over {len(names)} {'entry' if len(names) == 1 else 'entries'} ({reason}), "
            f"the first is {min(names)}"
            for reason, names in sorted(self.passed.items())
        ]


def list_folder(root: Path, endings: Iterable[str] = ("",)) -> Listing:
    """The files directly in `root` whose names end in one of `endings`, in capitals or not, and its folders.

    Passed over are hidden entries, what systems write into folders they show, and files with other endings.
    Raises ValueError for what may be meant to count but cannot be told: a link that leads nowhere, a pipe or
    device, a name that is no text, two names that differ only in their Unicode form; OSError where `root`
    cannot be listed.
    """
    wanted = tuple(ending.lower() for ending in endings)
    listing = Listing(root)
    with os.scandir(root) as entries:
        for entry in entries:
            _sort(entry, wanted, listing)
    return listing


def walk(root: Path, endings: Iterable[str]) -> Iterator[Listing]:
    """The listing of `root` and of each folder below it, each folder once; hidden ones are not entered."""
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        told = folder.stat()
        if (told.st_dev, told.st_ino) not in seen:  # a link may lead back up
            seen.add((told.st_dev, told.st_ino))
            found = list_folder(folder, endings)
            waiting += sorted(found.folders.values(), reverse=True)
            yield found


def _sort(entry: os.DirEntry[str], wanted: tuple[str, ...], listing: Listing) -> None:
    name, path = composed(entry.name), Path(entry.path)
    reason = passed_over(name)
    if reason:
        listing.passed.setdefault(reason, []).append(name)
        return
    _check_text(path)
    if entry.is_dir():
        _add(listing.folders, name, path)
    elif not name.lower().endswith(wanted):
        listing.passed.setdefault(OTHER, []).append(name)
    elif entry.is_file():
        _add(listing.files, name, path)
    elif entry.is_symlink():
        raise ValueError(f"{path}: a link that leads to no file; mend or remove it")
    else:
        raise ValueError(f"{path}: expected a plain file, got a pipe or device; remove it")


def passed_over(name: str) -> str:
    """Why an entry of this name never counts; empty where it does."""
    if name.startswith("."):
        return HIDDEN
    return BY_A_SYSTEM if name.lower() in SYSTEM_FILES | SYSTEM_FOLDERS else ""


def composed(name: str) -> str:
    """A name in Unicode's composed form, by which names are compared: macOS takes names apart."""
    return unicodedata.normalize("NFC", name)


def find(path: Path) -> Path:
    """The file or folder of this name, in whichever Unicode form the disk has it; else `path` as it is.

    Raises ValueError where several forms lie side by side.
    """
    if str(path).isascii():
        return path
    found = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        forms = sorted({unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part), part})
        there = [found / form for form in forms if os.path.lexists(found / form)]
        if len(there) > 1 and not there[0].samefile(there[1]):  # one folder's own disk may take both for one
            raise ValueError(
                f"{there[0]}: lies there twice, under names that differ in their Unicode form alone; keep one"
            )
        found = there[0] if there else found / part
    return found


def _check_text(path: Path) -> None:
    shown = ascii(path.name)
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{path.parent}: the name {shown} is no text in UTF-8; rename the file") from None


def _add(found: dict[str, Path], name: str, path: Path) -> None:
    if name in found:
        raise ValueError(
            f"{path.parent}: holds {name} twice, under names that differ in Unicode form alone; keep one"
        )
    found[name] = path


def stem_of(name: str, endings: Iterable[str]) -> str:
    """A file's name without its ending, whether that is in capitals or not."""
    return next((name[: -len(one)] for one in endings if name.lower().endswith(one.lower())), name)


def by_stem(files: Mapping[str, Path], endings: Iterable[str]) -> dict[str, Path]:
    """Files by their names without ending. Raises ValueError where two differ in the ending's case alone."""
    found: dict[str, Path] = {}
    for name, path in files.items():
        stem = stem_of(name, endings)
        if stem in found:
            raise ValueError(
                f"{path}: lies beside {found[stem].name}, and both stand for {stem}; keep the right one"
            )
        found[stem] = path
    return found
