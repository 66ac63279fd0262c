"""SHA-256 of raw files: given in the patient table, or recorded when a file is first seen; then checked."""

import re
from collections.abc import Callable
from pathlib import Path

from segguided.files import sha256_of, write_text
from segguided.text_tables import read_lines

LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def check_or_record(path: Path, name: str, pin: str, record: Path, check_new: Callable[[Path], None]) -> str:
    """SHA-256 of the file at `path`, compared to `pin` or else to the line of `name` in `record`.

    A file with neither must pass `check_new`, which raises for a damaged file; then `record` gets its line.
    Raises ValueError where the checksum differs, or where pin or record are not checksums.
    """
    recorded = read_record(record)
    sha256 = sha256_of(path)
    if pin:
        if not LINE.fullmatch(f"{pin}  {name}"):
            raise ValueError(
                f"{name}: expected a SHA-256 of 64 hexadecimal digits, got '{pin}'; correct the patient table"
            )
        check(path, pin, sha256, "in the patient table")
    elif name in recorded:
        check(path, recorded[name], sha256, f"in {record}")
    else:
        check_new(path)
        recorded[name] = sha256
        lines = sorted(f"{recorded[file]}  {file}\n" for file in recorded)
        write_text(record, "".join(lines))
    return sha256


def read_record(path: Path) -> dict[str, str]:
    """Checksum by file name, from a file as sha256sum writes it; empty where there is no file yet.

    Raises ValueError for another format.
    """
    sums: dict[str, str] = {}
    for number, line in enumerate(read_lines(path) if path.exists() else [], 1):
        match = LINE.fullmatch(line)
        if not match:
            raise ValueError(
                f"{path}, line {number}: expected a SHA-256, two spaces and a file name; fix or delete it"
            )
        if sums.setdefault(match[2], match[1]) != match[1]:
            raise ValueError(
                f"{path}, line {number}: {match[2]} appears twice, with two checksums; keep the right line"
            )
    return sums


def check(file: object, expected: str, sha256: str, where: str) -> None:
    """Raise ValueError unless the checksums are equal; `where` says where the expected one is recorded."""
    if sha256 != expected:
        raise ValueError(
            f"{file}: expected the SHA-256 {expected} recorded {where}, got {sha256}; get the file again, or "
            "correct the record if it was changed on purpose"
        )
