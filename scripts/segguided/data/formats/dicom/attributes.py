"""Attributes of a DICOM file, each as the number or text it must be; errors are one sentence."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

# What pydicom raises for files that are cut short or have bytes overwritten.
UNREADABLE = (
    *(InvalidDicomError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(RuntimeError, NotImplementedError, OverflowError, struct.error, BytesLengthException, zlib.error),
    OSError,  # without a number: pydicom's own, for a cut sequence; the disk's errors have a number
)


class RefusedError(ValueError):
    """A complete file that is refused. The message names the file and what to do."""


def value(dataset: pydicom.Dataset, keyword: str, path: Path) -> Any:
    """The attribute, which pydicom parses only now; None if it is absent or empty."""
    try:
        parsed = dataset.get(keyword)
    except UNREADABLE as error:
        raise damaged(path, error) from error
    return None if parsed == "" else parsed


def text(dataset: pydicom.Dataset, keyword: str, path: Path) -> str:
    """The attribute as text in capitals, without spaces around it; empty if it is absent."""
    return str(value(dataset, keyword, path) or "").strip().upper()


def required(dataset: pydicom.Dataset, keyword: str, path: Path) -> Any:
    """The attribute. Raises ValueError if it is absent or empty."""
    parsed = value(dataset, keyword, path)
    if parsed is None:
        raise ValueError(
            f"{path}: expected a CT or MR slice, but {keyword} is missing; the file is truncated or no image "
            "slice: get it again or move it away"
        )
    return parsed


def numbers(dataset: pydicom.Dataset, keyword: str, count: int, path: Path) -> np.ndarray:
    """The attribute's values, shape (count,). Raises ValueError unless they are `count` finite numbers."""
    parsed = required(dataset, keyword, path)
    try:
        array = np.atleast_1d(np.asarray(parsed, dtype=np.float64))
    except (ValueError, TypeError):
        array = np.empty(0)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError(
            f"{path}: expected {count} finite number(s) as {keyword}, got {one_line(parsed)}; correct the "
            "header or leave the series out"
        )
    return array


def number(dataset: pydicom.Dataset, keyword: str, path: Path) -> float:
    """The attribute's only number. Raises ValueError if it is absent or no number."""
    return float(numbers(dataset, keyword, 1, path)[0])


def whole_number(dataset: pydicom.Dataset, keyword: str, path: Path) -> int:
    """The attribute's only number, as int. Raises ValueError if it is absent or no number."""
    return int(number(dataset, keyword, path))


def damaged(path: Path, error: Exception) -> Exception:
    """The error to raise for a file that cannot be read to its end; a disk error is returned as it is."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    reason = one_line(error).rstrip(".") or type(error).__name__
    return ValueError(
        f"{path}: expected a complete DICOM file, but it is truncated, damaged or no DICOM ({reason}); "
        "get it again, or move it away if it is no slice"
    )


def one_line(what: object) -> str:
    """The start of a value as one printable line; damaged headers hold anything."""
    line = " ".join(str(what)[:1000].split())
    line = line.removeprefix("Unable to decode as exceptions were raised by all available plugins: ")
    return "".join(c if c.isprintable() else "?" for c in line[:100])
