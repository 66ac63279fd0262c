"""What a patient's files were when they were checked; compared again before they are read."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from segguided.files import sha256_of

Entry = dict[str, Any]


def describe(files: Iterable[Path]) -> list[Entry]:
    """Name, bytes and SHA-256 of each file, in the order of names."""
    return [
        {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(files, key=lambda path: path.name)
    ]


def check_files(receipt: Path, part: str, folder: Path) -> None:
    """Raise ValueError unless the files that `part` of the receipt lists lie in `folder`, byte for byte."""
    for entry in json.loads(receipt.read_text(encoding="utf-8"))[part]:
        path = folder / entry["file"]
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            now = f"has {path.stat().st_size}" if path.is_file() else "is not there"
            raise ValueError(
                f"{path}: expected a file of {entry['bytes']} bytes, but it {now}; delete {receipt} and run "
                "the same command again, which gets what is lacking"
            )
        if sha256_of(path) != entry["sha256"]:
            raise ValueError(
                f"{path}: its content is not what {receipt} says; get the file again, or delete the receipt "
                "to have it checked and read anew"
            )
