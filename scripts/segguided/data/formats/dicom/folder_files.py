"""The files of one DICOM folder: which must be slices, and which are left out and why."""

import gzip
import logging
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from segguided.data.formats.dicom import attributes
from segguided.data.formats.dicom.files import PREFIX, open_file
from segguided.listing import SYSTEM_FILES

LOG = logging.getLogger("segguided")

# Files that downloads put beside the slices. Anything else must be DICOM: a damaged slice may never pass for
# a companion and be left out.
COMPANION_SUFFIXES = (
    *(".txt", ".json", ".csv", ".tsv", ".xml", ".md", ".html", ".pdf", ".log", ".yaml", ".yml", ".md5"),
    *(".sha256", ".png", ".jpg", ".jpeg", ".zip", ".nrrd", ".gz"),
)
COMPANION_NAMES = {"dicomdir", "license", "readme", *SYSTEM_FILES}


def slice_files(folder: Path) -> list[Path]:
    """The files of `folder` that must be DICOM, by name; the log says which others are left out, and why.

    Raises ValueError for a folder without files, and for entries that may be slices but cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: expected a folder with one DICOM series, but there is none; download it")
    entries = sorted(folder.iterdir())
    reasons = {path: _why_companion(path) for path in entries}
    files = [path for path, reason in reasons.items() if not reason]
    if not files:
        deeper = sorted(path.name for path in entries if path.is_dir())
        hint = f"name a folder below it, such as {deeper[0]}" if deeper else "download the series again"
        raise ValueError(f"{folder}: expected one DICOM series, but the folder holds no DICOM files; {hint}")
    report_left_out(folder, [(path, reason) for path, reason in reasons.items() if reason])
    return files


def report_left_out(folder: Path, left_out: Sequence[tuple[Path, str]]) -> None:
    """Log one line for each reason, with the number of files and the first of them."""
    for reason, count in Counter(reason for _, reason in left_out).items():
        first = next(path.name for path, why in left_out if why == reason)
        LOG.info("%s: left out %d (%s): %s", folder, count, first, reason)


def _why_companion(path: Path) -> str:
    """Why this entry of the folder is no slice; empty if it must be one."""
    name = path.name.lower()
    if name.startswith("."):
        return "resource fork of macOS" if name.startswith("._") else "hidden file"
    if path.is_dir():
        return "folder below the series"
    if not path.is_file():
        what = "a link to nothing" if path.is_symlink() and not path.exists() else "no regular file"
        raise ValueError(
            f"{path}: expected a DICOM file, got {what}; put the file there, or remove the name from the "
            "folder"
        )
    if name in COMPANION_NAMES:
        return "companion by its name"
    if path.suffix.lower() in COMPANION_SUFFIXES and not _is_dicom(path):
        _refuse_gzipped_slice(path)
        return f"companion by its ending {path.suffix.lower()}"
    return ""


def _is_dicom(path: Path) -> bool:
    """Whether the file begins as DICOM does, whatever its name."""
    with path.open("rb") as file:
        return file.read(132)[128:] == PREFIX


def _refuse_gzipped_slice(path: Path) -> None:
    if path.suffix.lower() != ".gz":
        return
    try:
        with gzip.open(path) as file:
            is_slice = file.read(132)[128:] == PREFIX
    except (OSError, EOFError, zlib.error):
        is_slice = False
    if is_slice:
        raise ValueError(
            f"{path}: expected unpacked DICOM files, got a gzip file with one; unpack it with gunzip"
        )


def check_folders_below(folder: Path, series_uid: str) -> None:
    """Raise ValueError if a folder below holds slices of the same series."""
    for below in sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."):
        stray = next((path for path in _dicom_files_below(below) if _series_of(path) == series_uid), None)
        if stray is not None:
            raise ValueError(
                f"{below}: expected all slices in one folder, got some of the same series in a folder below "
                f"({stray.name}); move them into {folder.name}, or this folder elsewhere"
            )


def _dicom_files_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and _is_dicom(path))


def _series_of(path: Path) -> str:
    try:
        return str(open_file(path).get("SeriesInstanceUID"))
    except attributes.UNREADABLE:
        return ""  # no slice of this series, and nobody asked for it
