"""Seals: a checksum and the place a file was written for, so that damaged or misplaced files are refused.

The place is the file's path below the results folder, such as runs/DATASET/MODEL/seed0/config.json. It names
dataset, model, patient and seed, and stays true where a whole results folder is moved or copied. A zip
archive (.npz, resume.pt) holds its seal in the archive's comment, and JSON under the key `seal`. Text that
users open themselves has its seal in a hidden file beside it, in the format of sha256sum.
"""

import hashlib
import json
import mmap
import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segguided.files import json_text, write_text

KEY = "seal"  # of sealed JSON
CRC_DIGITS = 8  # of a CRC-32, in hexadecimal: the last bytes of a sealed archive
END_MARK = b"PK\x05\x06"  # begins a zip archive's last record, which the comment follows
END_BYTES = 22  # of that record
MOST_TAIL_BYTES = END_BYTES + (1 << 16)  # from the start of that record to the end of the file
PLACE = re.compile(
    r"(?:.*/)?("
    r"slices/[^/]+/[^/]+\.npz|data/[^/]+/[^/]+|raw/[^/]+/receipts/[^/]+|(?:partial|similarity)/[^/]+\.csv|"
    r"(?:applications/[^/]+|runs|segmenters|perceptual|completers|generated|metrics|partial|similarity|free)"
    r"/[^/]+/[^/]+/seed\d+(?:\.\w+|(?:/[^/]+)+)|table\d\.\w+)"
)
AGAIN = "delete it and run the same command again"


def place_of(path: Path) -> str:
    """The place of `path` in a results folder; empty where it is in none."""
    match = PLACE.fullmatch(path.absolute().as_posix())
    return match[1] if match else ""


def damaged(path: Path, reason: object) -> ValueError:
    """The error for a damaged file of this pipeline, which must be made again."""
    return ValueError(f"{path} is damaged ({reason}); {AGAIN}")


def unsealed(path: Path) -> ValueError:
    """The error for a file without a seal, which nothing can check."""
    return ValueError(f"{path} holds no checksum, so another version wrote it; {AGAIN}")


def check_place(path: Path, written_for: str) -> None:
    """Raise ValueError where `path` is in a results folder, but not at the place it was written for."""
    place = place_of(path)
    if place and written_for and place != written_for:
        raise ValueError(f"{path} is in the wrong place: it was written as {written_for}; {AGAIN}")


def seal_archive(archive: Path, target: Path, facts: Mapping[str, str]) -> None:
    """Add a comment to the zip file `archive`: `facts`, the place of `target`, and a CRC-32 of the rest.

    Equal archives, facts and places give equal bytes.
    """
    comment = json.dumps({**facts, "place": place_of(target)}, sort_keys=True).encode()
    with archive.open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        assert file.read() == b"\0\0", "an archive without a comment ends in its length"
        file.seek(-2, os.SEEK_END)
        file.write((len(comment) + CRC_DIGITS).to_bytes(2, "little") + comment)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as written:
            checksum = zlib.crc32(written)
        file.write(f"{checksum:0{CRC_DIGITS}x}".encode())


def check_archive(path: Path, archive_bytes: Any) -> dict[str, str]:
    """The facts of a sealed archive. Raises ValueError for one that is damaged or in the wrong place."""
    content = memoryview(archive_bytes)
    comment = _comment_of(path, bytes(content[-MOST_TAIL_BYTES:]))
    if f"{zlib.crc32(content[:-CRC_DIGITS]):0{CRC_DIGITS}x}".encode() != comment[-CRC_DIGITS:]:
        raise damaged(path, "its bytes are not those of its checksum")
    facts: dict[str, str] = json.loads(comment[:-CRC_DIGITS])
    check_place(path, facts.pop("place"))
    return facts


def archive_facts(path: Path) -> dict[str, str]:
    """The facts of a sealed archive, without reading the rest. Raises ValueError where it has none."""
    with path.open("rb") as file:
        file.seek(-min(MOST_TAIL_BYTES, path.stat().st_size), os.SEEK_END)
        comment = _comment_of(path, file.read())
    try:
        facts: dict[str, str] = json.loads(comment[:-CRC_DIGITS])
    except ValueError as error:
        raise damaged(path, error) from error
    return facts


def _comment_of(path: Path, tail: bytes) -> bytes:
    """The comment in the last bytes of an archive."""
    start = tail.rfind(END_MARK)
    end = start + END_BYTES
    comment = tail[end:]
    stated_length = int.from_bytes(tail[end - 2 : end], "little")
    if start < 0 or stated_length != len(comment):
        raise damaged(path, "it ends early")
    if len(comment) <= CRC_DIGITS:
        raise unsealed(path)
    return comment


def write_sealed(target: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as JSON to `target` atomically, with a seal among its keys. Raises ValueError for NaN."""
    write_text(target, _sealed_text(target, value, place_of(target)))


def _sealed_text(target: Path, value: Mapping[str, Any], place: str) -> str:
    """JSON whose seal is a SHA-256 of the rest, and the place."""
    digest = hashlib.sha256(json_text(target, {**value, KEY: place}).encode()).hexdigest()
    return json_text(target, {**value, KEY: f"{digest} {place}".rstrip()})


def read_sealed(path: Path) -> dict[str, Any]:
    """The value that `write_sealed` wrote. Raises ValueError for a damaged or misplaced file."""
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"not JSON: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get(KEY), str):
        raise unsealed(path)
    place = value.pop(KEY).partition(" ")[2]
    try:
        expected = _sealed_text(path, value, place)
    except ValueError as error:  # NaN
        raise damaged(path, error) from error
    if text != expected:
        raise damaged(path, "its content is not that of its checksum")
    check_place(path, place)
    return value


def sidecar(path: Path) -> Path:
    """The hidden file that holds the checksum of a text file."""
    return path.with_name(f".{path.name}.sha256")


def write_listed(target: Path, text: str) -> None:
    """Write `text` to `target` atomically, and its checksum beside it, in the format of sha256sum."""
    sidecar(target).unlink(missing_ok=True)
    write_text(target, text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_text(sidecar(target), f"{digest}  {place_of(target) or target.name}\n")


def read_listed(path: Path) -> str:
    """The text that `write_listed` wrote. Raises ValueError where it or its checksum is damaged.

    A file without a checksum beside it was made by hand. It is read as it is.
    """
    content = path.read_bytes()
    check_listed(path, content)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise damaged(path, error) from error


def check_listed(path: Path, content: bytes) -> None:
    """Raise ValueError where the checksum beside `path`, if there is one, is not that of `content`."""
    if not sidecar(path).is_file():
        return
    match = re.fullmatch(rb"([0-9a-f]{64})  ([^\n]+)\n", sidecar(path).read_bytes())
    if not match or hashlib.sha256(content).hexdigest().encode() != match[1]:
        raise damaged(path, f"its content is not that of {sidecar(path).name} beside it")
    written_for = match[2].decode(errors="replace")
    in_place = place_of(path) in ("", written_for) or written_for == path.name
    if not in_place or Path(written_for).name != path.name:
        raise damaged(path, f"{sidecar(path).name} beside it is the checksum of {written_for}")
