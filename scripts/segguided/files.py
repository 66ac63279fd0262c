"""Files that are complete or absent: written under a temporary name, then renamed."""

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

RUST_ERROR = re.compile(r"\(os error (\d+)\)")  # how safetensors writes an errno
ADVICE = {  # what to do, by errno
    errno.EROFS: "the disk is read-only: name another results folder, or have it mounted for writing",
    errno.EACCES: "name a results folder that you may write to, or have this one's permissions changed",
    errno.EPERM: "name a results folder that you may write to, or have this one's permissions changed",
    errno.ENOENT: "name a results folder that can be created",
    errno.ENOTDIR: "a part of its path is a file: name another results folder",
    errno.EIO: "the disk fails: look at the system's log, and run the same command again on a healthy disk",
}


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` to write to; renamed to `target` on success, removed on failure.

    A file that a killed process left when it wrote the same target is removed first. Raises OSError with a
    plain message when the disk is full.
    """
    with room_for(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in leftovers(target):
        leftover.unlink(missing_ok=True)
    # The same ending, because writers such as matplotlib choose the format by it.
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.partial{target.suffix}")
    try:
        with room_for(target):
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def leftovers(target: Path) -> list[Path]:
    """Temporary files for `target` that no process writes any more.

    A neighbour's files do not count: those of `p.1.npz` are none of `p.npz`.
    """
    name = re.compile(rf"\.{re.escape(target.stem)}\.(\d+)\.partial{re.escape(target.suffix)}")
    matches = [(path, name.fullmatch(path.name)) for path in target.parent.iterdir()]
    return [path for path, match in matches if match and not _may_write(int(match[1]), path)]


def _may_write(pid: int, temporary: Path) -> bool:
    """Whether another process of this machine may still write the file: one that is older than the file."""
    if pid == os.getpid():
        return False
    try:
        return psutil.Process(pid).create_time() <= temporary.stat().st_mtime
    except (psutil.Error, OverflowError, OSError):
        return False


@contextmanager
def room_for(target: Path) -> Iterator[None]:
    """Turn the error of a full or failing disk, while `target` is written, into an OSError with a remedy."""
    try:
        yield
    except Exception as error:  # safetensors and torch raise types of their own for the disk's errors
        number = None if _is_of_another_file(error, target) else _errno_of(error)
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            free = shutil.disk_usage(target.parent).free
            raise OSError(
                number,
                f"no room to write {target} ({free / 1e6:.0f} MB free there, or a quota reached); "
                "free some space and run the same command again, nothing half-written was left",
            ) from error
        if number in ADVICE:
            raise OSError(
                number, f"cannot write {target}: {os.strerror(number)}; {ADVICE[number]}"
            ) from error
        raise


def _errno_of(error: BaseException | None) -> int | None:
    """The errno of the disk's error: of `error` itself, in its text, or of an error that caused it."""
    while error is not None and not isinstance(error, ValueError):  # a ValueError is about the input
        if isinstance(error, OSError) and error.errno:
            return error.errno
        if match := RUST_ERROR.search(str(error)):
            return int(match[1])
        error = error.__cause__ or error.__context__
    return None


def _is_of_another_file(error: Exception, target: Path) -> bool:
    """Whether an error names a file that is neither beside nor above `target`, such as an input."""
    if not isinstance(error, OSError) or error.filename is None:
        return False
    named = Path(os.fsdecode(error.filename))
    return named.parent != target.parent and named not in target.parents


def write_text(target: Path, text: str) -> None:
    """Write `text` (UTF-8) to `target` atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def json_text(target: Path, value: object) -> str:
    """`value` as JSON with sorted keys, for the file `target`. Raises ValueError for NaN."""
    try:
        return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"
    except ValueError as error:
        raise ValueError(f"{target}: JSON holds no NaN or infinity ({error}); nothing was written") from error


def with_equal_columns(rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """The rows with the columns of all, as `write_table` wants them; empty where a row has no value."""
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name, "") for name in columns} for row in rows]


def write_table(target: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write `rows` as CSV to `target` atomically. Raises ValueError unless all rows have the same keys."""
    write_text(target, table_text(target, rows))


def table_text(target: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """`rows` as CSV, for the file `target`. Raises ValueError unless all rows have the same keys."""
    columns = list(rows[0]) if rows else []
    for row in rows:
        if row.keys() != set(columns):
            raise ValueError(f"{target}: expected rows with the columns {columns}, got {list(row)}")
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
