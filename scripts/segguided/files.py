"""Files that are whole or absent: written under a temporary name, then renamed."""

import csv
import errno
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `target` to write to; renamed to `target` on success, removed on failure.

    What a killed process left of an earlier try at this very target is removed.
    Raises OSError with a plain message when the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in leftovers(target):
        leftover.unlink(missing_ok=True)
    # Same ending, because writers such as matplotlib choose the format by it.
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.partial{target.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            free = shutil.disk_usage(target.parent).free
            raise OSError(
                error.errno,
                f"no room to write {target} ({free / 1e6:.0f} MB free there, or a quota reached); "
                "free some space and run the same command again, nothing half-written was left",
            ) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def leftovers(target: Path) -> list[Path]:
    """Temporary files for `target`, and for no neighbour such as `p.1.npz` of `p.npz`, that nobody writes."""
    name = re.compile(rf"\.{re.escape(target.stem)}\.(\d+)\.partial{re.escape(target.suffix)}")
    found = [(path, name.fullmatch(path.name)) for path in target.parent.iterdir()]
    return [path for path, match in found if match and not _writes(int(match[1]), path)]


def _writes(pid: int, temporary: Path) -> bool:
    """Whether another process of this machine may still write the file: one that was there when it was."""
    if pid == os.getpid():
        return False
    try:
        return psutil.Process(pid).create_time() <= temporary.stat().st_mtime
    except (psutil.Error, OverflowError, OSError):
        return False


def write_text(target: Path, text: str) -> None:
    """Write `text` (UTF-8) to `target` atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, value: object) -> None:
    """Write `value` as JSON with sorted keys to `target` atomically. Raises ValueError for NaN."""
    try:
        text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"{target}: JSON holds no NaN or infinity ({error}); nothing was written") from error
    write_text(target, text + "\n")


def write_table(target: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write `rows` as CSV to `target` atomically. Raises ValueError unless all have the first one's keys."""
    columns = list(rows[0]) if rows else []
    for row in rows:
        if row.keys() != set(columns):
            raise ValueError(f"{target}: expected rows with the columns {columns}, got {list(row)}")
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(target, text.getvalue())


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
