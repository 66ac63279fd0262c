"""Receipts: a patient's files and their SHA-256 when they were checked, to compare before they are read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from segguided.files import sha256_of
from segguided.listing import passed_over
from segguided.seals import read_sealed

Entry = dict[str, Any]
FILES = "files"  # the only part of a phantom's receipt


def describe_files(files: Iterable[Path], folder: Path | None = None) -> list[Entry]:
    """Name (or path below `folder`, where one is given), bytes and SHA-256 of each file, sorted by name."""
    path_of = {path.relative_to(folder).as_posix() if folder else path.name: path for path in files}
    return [
        {"file": name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for name, path in sorted(path_of.items())
    ]


def check_phantom(receipt: Path, folder: Path, *series: Path) -> None:
    """Raise ValueError unless a phantom's files are those of its receipt, without others in its `series`."""
    expected = {folder / entry["file"]: entry["sha256"] for entry in read_sealed(receipt).get(FILES, [])}
    wrong = [path for path, sha256 in expected.items() if not path.is_file() or sha256_of(path) != sha256]
    extra = {path for images in series for path in images.glob("*")} - set(expected)
    wrong += sorted(path for path in extra if not passed_over(path.name))
    if wrong or not expected:
        images = series[0]
        raise ValueError(
            f"{wrong[0] if wrong else images} is not what {receipt} says: damaged, or of another patient; "
            f"delete {images} and {receipt}, and run the same command again"
        )


def check_files(receipt: Path, part: str, folder: Path) -> None:
    """Raise ValueError unless `folder` holds the files that `part` of the receipt lists, byte for byte."""
    for entry in read_sealed(receipt)[part]:
        path = folder / entry["file"]
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            now = f"has {path.stat().st_size}" if path.is_file() else "is not there"
            raise ValueError(
                f"{path}: expected a file of {entry['bytes']} bytes, but it {now}; delete {receipt} and run "
                "the same command again, which fetches what is missing"
            )
        if sha256_of(path) != entry["sha256"]:
            raise ValueError(
                f"{path}: its content is not what {receipt} says; get the file again, or delete the receipt "
                "to have the file checked again"
            )
