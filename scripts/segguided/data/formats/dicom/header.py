"""Attributes of a DICOM file, each as the number or text it has to be; what is wrong in one sentence."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

# What pydicom raises on files cut short or with bytes overwritten.
UNREADABLE = (
    *(InvalidDicomError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(RuntimeError, NotImplementedError, OverflowError, struct.error, BytesLengthException, zlib.error),
    OSError,  # of a cut sequence; one of the disk has a number
)


def value(dataset: pydicom.Dataset, keyword: str, path: Path) -> Any:
    """The attribute, parsed by pydicom only now; None where it is absent or empty."""
    try:
        found = dataset.get(keyword)
    except UNREADABLE as error:
        raise damaged(path, error) from error
    return None if found == "" else found


def text(dataset: pydicom.Dataset, keyword: str, path: Path) -> str:
    """The attribute as text without spaces around it, in capitals; empty where it is absent."""
    return str(value(dataset, keyword, path) or "").strip().upper()


def required(dataset: pydicom.Dataset, keyword: str, path: Path) -> Any:
    """The attribute. Raises ValueError where it is absent or empty."""
    found = value(dataset, keyword, path)
    if found is None:
        raise ValueError(
            f"{path}: expected a CT or MR slice, but {keyword} is missing; the file is truncated or no image "
            "slice: get it again or move it away"
        )
    return found


def numbers(dataset: pydicom.Dataset, keyword: str, count: int, path: Path) -> np.ndarray:
    """The attribute's values. Raises ValueError unless they are `count` finite numbers."""
    found = required(dataset, keyword, path)
    try:
        array = np.atleast_1d(np.asarray(found, dtype=np.float64))
    except (ValueError, TypeError):
        array = np.empty(0)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError(
            f"{path}: expected {count} finite number(s) as {keyword}, got {printable(found)}; mend the "
            "header or leave the series out"
        )
    return array


def number(dataset: pydicom.Dataset, keyword: str, path: Path) -> float:
    """The attribute's one number. Raises ValueError where it is absent or none."""
    return float(numbers(dataset, keyword, 1, path)[0])


def whole(dataset: pydicom.Dataset, keyword: str, path: Path) -> int:
    """The attribute's one whole number. Raises ValueError where it is absent or none."""
    return int(number(dataset, keyword, path))


def damaged(path: Path, error: Exception) -> Exception:
    """The sentence for a file that cannot be read to its end; an error of the disk stays what it is."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    reason = printable(error).rstrip(".") or type(error).__name__
    return ValueError(
        f"{path}: expected a complete DICOM file, but it is truncated, damaged or none ({reason}); "
        "get it again, or move it away if it is no slice"
    )


def printable(what: object) -> str:
    """The start of the value, as one line; damaged headers hold anything."""
    line = " ".join(str(what)[:1000].split())
    line = line.removeprefix("Unable to decode as exceptions were raised by all available plugins: ")
    return "".join(c if c.isprintable() else "?" for c in line[:100])
