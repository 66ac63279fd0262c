"""Which pixels of a DICOM slice are padding and not image (standard PS3.3, C.7.5.1.1.2)."""

from pathlib import Path

import numpy as np
import pydicom

from segguided.data.formats.dicom import attributes

FLOAT_PIXELS = {"FloatPixelData": "FloatPixelPadding", "DoubleFloatPixelData": "DoubleFloatPixelPadding"}


def whole_padding(
    dataset: pydicom.Dataset, path: Path, stored: np.ndarray, container: np.ndarray
) -> np.ndarray | None:
    """Where the slice is PixelPaddingValue, or from it to PixelPaddingRangeLimit; None if none is stated.

    `stored` are the stored values, `container` the pixels with all their bits; both (row, column).
    """
    ends = _padding_ends(dataset, path, "PixelPadding")
    if ends is None:
        return None
    first, last = sorted(_as_stored(dataset, path, end) for end in ends)
    if stored is container or all(_is_storable(dataset, path, end) for end in (first, last)):
        return np.asarray((stored >= first) & (stored <= last))
    if first != last:
        raise ValueError(
            f"{path}: expected a range of padding within BitsStored, got {first} to {last} "
            "(PixelPaddingRangeLimit); correct the header or leave the series out"
        )
    # Scanners also pad beyond BitsStored, such as with -2000 and 12 bits. Then all bits of the pixel count.
    return np.asarray(container == first)


def _padding_ends(dataset: pydicom.Dataset, path: Path, kind: str) -> tuple[float, float] | None:
    value = attributes.value(dataset, f"{kind}Value", path)
    limit = attributes.value(dataset, f"{kind}RangeLimit", path)
    if value is None and limit is not None:
        raise ValueError(
            f"{path}: expected {kind}Value beside {kind}RangeLimit, but it is missing; add it, or remove the "
            "limit"
        )
    if value is None:
        return None
    first = _padding_end(dataset, f"{kind}Value", path)
    if limit is None:
        return first, first
    return first, _padding_end(dataset, f"{kind}RangeLimit", path)


def _padding_end(dataset: pydicom.Dataset, keyword: str, path: Path) -> float:
    value = attributes.value(dataset, keyword, path)
    if isinstance(value, bytes):  # in a file that does not say whether it is signed
        return int.from_bytes(value, "little")
    if isinstance(value, float) and np.isnan(value):
        return value
    return attributes.number(dataset, keyword, path)


def _as_stored(dataset: pydicom.Dataset, path: Path, end: float) -> int:
    """The value with the sign of the pixels: headers also state -2000 as 63536, and the reverse."""
    signed = attributes.whole_number(dataset, "PixelRepresentation", path) == 1
    value = int(end) & 0xFFFF
    if not signed:
        return value
    has_8_bits = attributes.whole_number(dataset, "BitsAllocated", path) == 8 and value < 1 << 8
    width = 8 if has_8_bits else 16
    is_negative = value >> (width - 1)
    return value - (1 << width) if is_negative else value


def _is_storable(dataset: pydicom.Dataset, path: Path, value: int) -> bool:
    """Whether BitsStored bits can hold the value."""
    bits = attributes.whole_number(dataset, "BitsStored", path)
    signed = attributes.whole_number(dataset, "PixelRepresentation", path) == 1
    lowest = -(1 << (bits - 1)) if signed else 0
    return lowest <= value < lowest + (1 << bits)


def float_padding(dataset: pydicom.Dataset, path: Path, stored: np.ndarray) -> np.ndarray | None:
    """Where FloatPixelData or DoubleFloatPixelData is padding; both have padding attributes of their own."""
    keyword = next((keyword for keyword in FLOAT_PIXELS if keyword in dataset), "")
    ends = _padding_ends(dataset, path, FLOAT_PIXELS[keyword]) if keyword else None
    if ends is None:
        return None
    if np.isnan(ends).any():
        return np.isnan(stored)
    first, last = sorted(ends)
    return np.asarray((stored >= first) & (stored <= last))
