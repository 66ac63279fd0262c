"""SHA-256 of raw files: pinned in the patient table, or recorded at first sight and checked ever after."""

import re
from collections.abc import Callable
from pathlib import Path

from segguided.files import sha256_of, write_text
from segguided.text_tables import read_lines

LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def settle(path: Path, name: str, pin: str, record: Path, check_new: Callable[[Path], None]) -> str:
    """SHA-256 of the file at `path`, whose own name is `name`, held against `pin` or else against `record`.

    What has neither passes `check_new`, which raises for a damaged file, and is recorded.
    Raises ValueError where the checksum differs, or pin or record are none.
    """
    known, found = read_record(record), sha256_of(path)
    if pin:
        if not LINE.fullmatch(f"{pin}  {name}"):
            raise ValueError(
                f"{name}: expected a SHA-256 of 64 hexadecimal digits, got '{pin}'; correct the patient table"
            )
        check(path, pin, found, "in the patient table")
    elif name in known:
        check(path, known[name], found, f"in {record}")
    else:
        check_new(path)
        lines = sorted(f"{sha256}  {one}\n" for one, sha256 in {**known, name: found}.items())
        write_text(record, "".join(lines))
    return found


def read_record(path: Path) -> dict[str, str]:
    """Checksum by file name, from a file as sha256sum writes it; none where there is no file yet.

    Raises ValueError for another format.
    """
    sums: dict[str, str] = {}
    for number, line in enumerate(read_lines(path) if path.exists() else [], 1):
        match = LINE.fullmatch(line)
        if not match:
            raise ValueError(
                f"{path}, line {number}: expected a SHA-256, two spaces and a file name; mend or delete it"
            )
        if sums.setdefault(match[2], match[1]) != match[1]:
            raise ValueError(
                f"{path}, line {number}: {match[2]} stands twice, with two checksums; keep the right line"
            )
    return sums


def check(what: object, expected: str, found: str, where: str) -> None:
    """Raise ValueError unless the checksums are equal."""
    if found != expected:
        raise ValueError(
            f"{what}: expected the SHA-256 {expected} recorded {where}, got {found}; get the file again, or "
            "correct the record if it was changed on purpose"
        )
