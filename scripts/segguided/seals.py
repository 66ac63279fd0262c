"""Seals: a checksum, and the place a file was written for: no damaged or foreign file is read in silence.

The place is the file's path below the results folder, such as runs/DATASET/MODEL/seed0/config.json: it names
dataset, model, patient and seed, and stays true where a whole results folder is moved or copied. A zip
archive (.npz, resume.pt) holds its seal in the archive's comment, JSON under the key `seal`, text that users
open themselves in a hidden file beside it, in the format of sha256sum.
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
DIGITS = 8  # of a CRC-32, in hexadecimal: the last bytes of a sealed archive
END, END_BYTES = b"PK\x05\x06", 22  # a zip archive's last record, before its comment
MOST = END_BYTES + (1 << 16)  # bytes from there to the end of the file
PLACE = re.compile(
    r"(?:.*/)?("
    r"slices/[^/]+/[^/]+\.npz|data/[^/]+/[^/]+|raw/[^/]+/receipts/[^/]+|(?:partial|similarity)/[^/]+\.csv|"
    r"(?:applications/[^/]+|runs|segmenters|perceptual|generated|metrics|partial|similarity)"
    r"/[^/]+/[^/]+/seed\d+(?:\.\w+|(?:/[^/]+)+)|table\d\.\w+)"
)
AGAIN = "delete it and run the same command again"


def place_of(path: Path) -> str:
    """Where in a results folder `path` lies; empty where it lies in none."""
    match = PLACE.fullmatch(path.absolute().as_posix())
    return match[1] if match else ""


def damaged(path: Path, reason: object) -> ValueError:
    """The error that a file of this pipeline is to be made again."""
    return ValueError(f"{path} is damaged ({reason}); {AGAIN}")


def unsealed(path: Path) -> ValueError:
    """The error that nothing tells whether a file is whole."""
    return ValueError(f"{path} holds no checksum, so it is none of this version's files; {AGAIN}")


def check_place(path: Path, written_for: str) -> None:
    """Raise ValueError where `path` lies in a results folder, at another place than it was written for."""
    place = place_of(path)
    if place and written_for and place != written_for:
        raise ValueError(f"{path} is another's file: it was written as {written_for}; {AGAIN}")


def seal_archive(archive: Path, target: Path, facts: Mapping[str, str]) -> None:
    """Add a comment to the zip file `archive`: `facts`, the place of `target`, and a CRC-32 of all before.

    Equal archives, facts and places give equal bytes.
    """
    comment = json.dumps({**facts, "place": place_of(target)}, sort_keys=True).encode()
    with archive.open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        assert file.read() == b"\0\0", "an archive without a comment ends in its length"
        file.seek(-2, os.SEEK_END)
        file.write((len(comment) + DIGITS).to_bytes(2, "little") + comment)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as written:
            checksum = zlib.crc32(written)
        file.write(f"{checksum:0{DIGITS}x}".encode())


def check_archive(path: Path, whole: Any) -> dict[str, str]:
    """The facts of a sealed archive of the bytes `whole`. Raises ValueError for a damaged or foreign one."""
    content = memoryview(whole)
    comment = _comment_of(path, bytes(content[-MOST:]))
    if f"{zlib.crc32(content[:-DIGITS]):0{DIGITS}x}".encode() != comment[-DIGITS:]:
        raise damaged(path, "its bytes are not those of its checksum")
    facts: dict[str, str] = json.loads(comment[:-DIGITS])
    check_place(path, facts.pop("place"))
    return facts


def archive_facts(path: Path) -> dict[str, str]:
    """The facts of a sealed archive, read without a look at the rest. Raises ValueError where it has none."""
    with path.open("rb") as file:
        file.seek(-min(MOST, path.stat().st_size), os.SEEK_END)
        comment = _comment_of(path, file.read())
    try:
        facts: dict[str, str] = json.loads(comment[:-DIGITS])
    except ValueError as error:
        raise damaged(path, error) from error
    return facts


def _comment_of(path: Path, tail: bytes) -> bytes:
    start = tail.rfind(END)
    comment = tail[start + END_BYTES :]
    stated = int.from_bytes(tail[start + END_BYTES - 2 : start + END_BYTES], "little")
    if start < 0 or stated != len(comment):
        raise damaged(path, "it ends early")
    if len(comment) <= DIGITS:
        raise unsealed(path)
    return comment


def write_sealed(target: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as JSON to `target` atomically, with a seal among its keys. Raises ValueError for NaN."""
    write_text(target, _sealed_text(target, value, place_of(target)))


def _sealed_text(target: Path, value: Mapping[str, Any], place: str) -> str:
    """JSON whose seal is a SHA-256 of all the rest, and the place."""
    digest = hashlib.sha256(json_text(target, {**value, KEY: place}).encode()).hexdigest()
    return json_text(target, {**value, KEY: f"{digest} {place}".rstrip()})


def read_sealed(path: Path) -> dict[str, Any]:
    """What `write_sealed` was given. Raises ValueError for a damaged file, or one written for elsewhere."""
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"no JSON: {error}") from error
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
    """Write `text` to `target` atomically, and its checksum beside it, as sha256sum would in the results."""
    sidecar(target).unlink(missing_ok=True)
    write_text(target, text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_text(sidecar(target), f"{digest}  {place_of(target) or target.name}\n")


def read_listed(path: Path) -> str:
    """The text that `write_listed` wrote. Raises ValueError where it or its checksum is damaged.

    A file without a checksum beside it was made by hand, and is read as it is.
    """
    content = path.read_bytes()
    check_listed(path, content)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise damaged(path, error) from error


def check_listed(path: Path, content: bytes) -> None:
    """Raise ValueError where `content` of `path` is not that of the checksum beside it, if there is one."""
    if not sidecar(path).is_file():
        return
    beside = sidecar(path).read_bytes()
    match = re.fullmatch(rb"([0-9a-f]{64})  ([^\n]+)\n", beside)
    if not match or hashlib.sha256(content).hexdigest().encode() != match[1]:
        raise damaged(path, f"its content is not that of {sidecar(path).name} beside it")
    written_for = match[2].decode(errors="replace")
    known = place_of(path) in ("", written_for) or written_for == path.name
    if not known or Path(written_for).name != path.name:
        raise damaged(path, f"{sidecar(path).name} beside it tells of {written_for}")
