"""Listed folders: which files count, and which are passed over, with the reason."""

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
    """What a folder holds: files and folders that count, by name; names that are passed over, by reason.

    Names are in Unicode's composed form (NFC), whatever form the disk uses; paths are in the disk's form.
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
    """The folders in `root`, and the files in it whose names end in one of `endings`, in capitals or not.

    Hidden entries, files that systems write into folders they show, and files with other endings are passed
    over. Raises ValueError for a link that leads nowhere, a pipe or device, a name that is no text, and two
    names that differ only in their Unicode form; OSError where `root` cannot be listed.
    """
    lower_endings = tuple(ending.lower() for ending in endings)
    listing = Listing(root)
    with os.scandir(root) as entries:
        for entry in entries:
            _add_entry(listing, entry, lower_endings)
    return listing


def walk(root: Path, endings: Iterable[str]) -> Iterator[Listing]:
    """The listings of `root` and of each folder below it, each folder once, without hidden folders."""
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity not in seen:  # a link may lead back up
            seen.add(identity)
            listing = list_folder(folder, endings)
            waiting += sorted(listing.folders.values(), reverse=True)
            yield listing


def _add_entry(listing: Listing, entry: os.DirEntry[str], lower_endings: tuple[str, ...]) -> None:
    name = composed(entry.name)
    path = Path(entry.path)
    reason = passed_over(name)
    if reason:
        listing.passed.setdefault(reason, []).append(name)
        return
    _check_text(path)
    if entry.is_dir():
        _add(listing.folders, name, path)
    elif not name.lower().endswith(lower_endings):
        listing.passed.setdefault(OTHER, []).append(name)
    elif entry.is_file():
        _add(listing.files, name, path)
    elif entry.is_symlink():
        raise ValueError(f"{path}: a link that leads to no file; correct or remove it")
    else:
        raise ValueError(f"{path}: expected a plain file, got a pipe or device; remove it")


def passed_over(name: str) -> str:
    """The reason why an entry of this name never counts; empty where it may count."""
    if name.startswith("."):
        return HIDDEN
    return BY_A_SYSTEM if name.lower() in SYSTEM_FILES | SYSTEM_FOLDERS else ""


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC), in which names are compared; macOS decomposes names."""
    return unicodedata.normalize("NFC", name)


def find(path: Path) -> Path:
    """The file or folder of this name, in whatever Unicode form the disk uses; else `path` as it is.

    Raises ValueError where the disk holds several forms of the name.
    """
    if str(path).isascii():
        return path
    folder = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        folder = _find_in(folder, part)
    return folder


def _find_in(folder: Path, name: str) -> Path:
    """The entry of this name in a folder, in whatever Unicode form the disk uses."""
    forms = sorted({unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name), name})
    present = [folder / form for form in forms if os.path.lexists(folder / form)]
    if len(present) > 1 and not present[0].samefile(present[1]):  # some disks take both forms for one name
        raise ValueError(
            f"{present[0]}: is there twice, under names that differ only in their Unicode form; keep one"
        )
    return present[0] if present else folder / name


def _check_text(path: Path) -> None:
    shown = ascii(path.name)
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{path.parent}: the name {shown} is no text in UTF-8; rename the file") from None


def _add(paths: dict[str, Path], name: str, path: Path) -> None:
    if name in paths:
        raise ValueError(
            f"{path.parent}: holds {name} twice, under names that differ only in their Unicode form; keep one"
        )
    paths[name] = path


def stem_of(name: str, endings: Iterable[str]) -> str:
    """A file's name without its ending, which may be in capitals."""
    for ending in endings:
        if name.lower().endswith(ending.lower()):
            return name[: -len(ending)]
    return name


def by_stem(files: Mapping[str, Path], endings: Iterable[str]) -> dict[str, Path]:
    """Files by their names without ending. Raises ValueError where two differ only in their endings."""
    paths: dict[str, Path] = {}
    for name, path in files.items():
        stem = stem_of(name, endings)
        if stem in paths:
            raise ValueError(f"{path}: is beside {paths[stem].name}, and both are {stem}; keep the right one")
        paths[stem] = path
    return paths
