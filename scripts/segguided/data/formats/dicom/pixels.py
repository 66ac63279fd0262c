"""What the pixels of one DICOM slice mean: stored bits, padding, and their values in modality units.

Standard PS3.3, sections C.7.6.3 (pixels), C.7.5.1.1.2 (padding) and C.11.1 (modality lookup table). A
RealWorldValueMappingSequence is ignored: it offers more units beside those of rescale, and image readers take
rescale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.processing import apply_modality_lut

from segguided.data.formats.dicom import attributes
from segguided.data.formats.dicom.decoding import decode
from segguided.data.formats.dicom.padding import float_padding, whole_padding

INT16 = np.iinfo(np.int16)
RESCALE = ("RescaleSlope", "RescaleIntercept")


@dataclass(frozen=True)
class Meaning:
    """What must be the same in all slices of a series."""

    path: Path
    inverted: bool  # the largest value is black
    units: str  # RescaleType; HU for a CT that states none
    rescaled_by: str  # the attribute that turns stored into modality values; empty if there is none
    is_identity: bool  # whether it leaves every value as stored


@dataclass(frozen=True)
class Pixels:
    """One slice (row, column) in modality units, int16 if exact, else float32; and where it is padding."""

    values: np.ndarray
    padding: np.ndarray | None  # bool; None if there is none


def read_meaning(dataset: pydicom.Dataset, path: Path) -> Meaning:
    """What the header says of the values. Raises ValueError for colours and for contradictions."""
    _check_grey(dataset, path)
    has_table = attributes.value(dataset, "ModalityLUTSequence", path) is not None
    slope, intercept = _rescale(dataset, path)
    has_slope = attributes.value(dataset, "RescaleSlope", path) is not None
    is_identity = (slope, intercept) == (1, 0)
    if has_table and not is_identity:
        raise ValueError(
            f"{path}: expected RescaleSlope or ModalityLUTSequence, got both; remove the one that is wrong"
        )
    rescaled_by = "ModalityLUTSequence" if has_table else "RescaleSlope" if has_slope else ""
    return Meaning(
        path,
        _is_inverted(dataset, path),
        _units(dataset, path),
        rescaled_by,
        is_identity and not has_table,
    )


def check_one_meaning(meanings: Sequence[Meaning]) -> None:
    """Raise ValueError unless the values of all slices mean the same."""
    first = meanings[0]
    for meaning in meanings[1:]:
        _check_same_rescale(first, meaning)
        for what, expected, got in (
            ("PhotometricInterpretation", _photometric(first), _photometric(meaning)),
            ("RescaleType", first.units, meaning.units),
        ):
            if expected != got:
                raise ValueError(
                    f"{meaning.path}: expected the {what} of {first.path.name}, {expected or 'none'}, got "
                    f"{got or 'none'}; move slices of another series away"
                )


def _check_same_rescale(first: Meaning, second: Meaning) -> None:
    if first.rescaled_by == second.rescaled_by or (first.is_identity and second.is_identity):
        return
    lacking, having = sorted((first, second), key=lambda meaning: meaning.rescaled_by)
    raise ValueError(
        f"{lacking.path}: expected {having.rescaled_by} as in {having.path.name}, got "
        f"{lacking.rescaled_by or 'none'}; its values are in other units: correct the header or leave the "
        "series out"
    )


def _photometric(meaning: Meaning) -> str:
    return "MONOCHROME1" if meaning.inverted else "MONOCHROME2"


def read_pixels(dataset: pydicom.Dataset, path: Path) -> Pixels:
    """The slice in modality units. Raises ValueError if it is damaged or its encoding is unknown."""
    if "PixelData" in dataset:
        _check_bits(dataset, path)
    container, is_coded = decode(dataset, path)
    if container.dtype.kind == "f":
        stored = container
        padding = float_padding(dataset, path, container)
    else:
        stored = _stored_values(dataset, path, container, is_coded)
        padding = whole_padding(dataset, path, stored, container)
    if padding is not None and not padding.any():
        padding = None
    return Pixels(_modality_values(dataset, path, stored, padding), padding)


def _check_grey(dataset: pydicom.Dataset, path: Path) -> None:
    samples = attributes.whole_number(dataset, "SamplesPerPixel", path)
    colours = str(attributes.required(dataset, "PhotometricInterpretation", path)).strip().upper()
    if samples != 1 or colours not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(
            f"{path}: expected grey values (MONOCHROME2, one sample a pixel), got "
            f"{attributes.one_line(colours)} as PhotometricInterpretation with {samples} sample(s); leave "
            "the series out, or take the grey images that it was made of"
        )


def _is_inverted(dataset: pydicom.Dataset, path: Path) -> bool:
    inverted = attributes.text(dataset, "PhotometricInterpretation", path) == "MONOCHROME1"
    shape = attributes.text(dataset, "PresentationLUTShape", path)
    expected = "INVERSE" if inverted else "IDENTITY"
    if shape not in ("", expected):
        raise ValueError(
            f"{path}: expected PresentationLUTShape {expected} beside its PhotometricInterpretation, got "
            f"{attributes.one_line(shape)}; whether small values are black or white is unknown: correct the "
            "header or leave the series out"
        )
    if inverted and attributes.text(dataset, "Modality", path) == "CT":
        raise ValueError(
            f"{path}: expected MONOCHROME2 of a CT, got MONOCHROME1 as PhotometricInterpretation, so that "
            "air would be white; if its values are HU, state MONOCHROME2 in the headers, else leave the "
            "series out"
        )
    return inverted


def _units(dataset: pydicom.Dataset, path: Path) -> str:
    units = attributes.text(dataset, "RescaleType", path)
    if attributes.text(dataset, "Modality", path) != "CT":
        return units
    if units not in ("", "HU"):
        raise ValueError(
            f"{path}: expected HU as RescaleType of a CT, got {attributes.one_line(units)}; if its values "
            "are HU, state it in the headers, else leave the series out"
        )
    return "HU"


def _rescale(dataset: pydicom.Dataset, path: Path) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 if the file states neither."""
    present = [keyword for keyword in RESCALE if attributes.value(dataset, keyword, path) is not None]
    if not present:
        return 1.0, 0.0
    if len(present) == 1:
        lacking = next(keyword for keyword in RESCALE if keyword not in present)
        raise ValueError(
            f"{path}: expected RescaleSlope and RescaleIntercept or neither, but {lacking} is missing; "
            "correct the header or leave the series out"
        )
    slope = attributes.number(dataset, "RescaleSlope", path)
    intercept = attributes.number(dataset, "RescaleIntercept", path)
    if slope == 0:
        raise ValueError(
            f"{path}: expected a RescaleSlope other than 0, which makes every value the same; correct the "
            "header or leave the series out"
        )
    return slope, intercept


def _check_bits(dataset: pydicom.Dataset, path: Path) -> None:
    stored = attributes.whole_number(dataset, "BitsStored", path)
    high = attributes.whole_number(dataset, "HighBit", path)
    allocated = attributes.whole_number(dataset, "BitsAllocated", path)
    if not 0 < stored <= high + 1 <= allocated:
        raise ValueError(
            f"{path}: expected BitsStored above 0 and at most HighBit + 1, and that at most BitsAllocated, "
            f"got {stored}, {high} + 1 and {allocated}; correct the header or leave the series out"
        )


def _stored_values(dataset: pydicom.Dataset, path: Path, container: np.ndarray, is_coded: bool) -> np.ndarray:
    """The stored values: the BitsStored bits that end at HighBit, sign extended; other bits are dropped."""
    stored_bits = attributes.whole_number(dataset, "BitsStored", path)
    high_bit = attributes.whole_number(dataset, "HighBit", path)
    shift = high_bit + 1 - stored_bits
    if is_coded:
        _check_no_shift(path, shift)
        return container
    if shift:
        _check_bits_below(dataset, path, container, shift)
    allocated = container.dtype.itemsize * 8
    if stored_bits == allocated:
        return container
    bits = container.view(f"u{container.dtype.itemsize}") << np.uint8(allocated - 1 - high_bit)
    return np.asarray(bits.view(container.dtype) >> np.uint8(allocated - stored_bits))


def _check_no_shift(path: Path, shift: int) -> None:
    if shift:
        raise ValueError(
            f"{path}: expected HighBit = BitsStored - 1 with pixels that a codec delivers, got {shift} more; "
            "correct the header or leave the series out"
        )


def _check_bits_below(dataset: pydicom.Dataset, path: Path, container: np.ndarray, shift: int) -> None:
    """Raise ValueError if bits below the stored ones are set and no overlay explains them.

    Then HighBit is more likely to be wrong than the values are to be shifted.
    """
    below = (1 << shift) - 1
    for group in range(0x6000, 0x6020, 2):
        position = _overlay_bit(dataset, path, group)
        if position is not None:
            below &= ~(1 << position)
    if (container.view(f"u{container.dtype.itemsize}") & below).any():
        raise ValueError(
            f"{path}: expected no bits set below those of HighBit and BitsStored, but {shift} are used; "
            "correct HighBit (BitsStored - 1 where the values begin at bit 0)"
        )


def _overlay_bit(dataset: pydicom.Dataset, path: Path, group: int) -> int | None:
    """OverlayBitPosition of the group; None if it has no overlay among the pixels' bits."""
    try:
        position = dataset[group, 0x0102].value if (group, 0x0102) in dataset else None
        return None if position is None else min(int(position), 64)
    except attributes.UNREADABLE as error:
        raise attributes.damaged(path, error) from error


def _modality_values(
    dataset: pydicom.Dataset, path: Path, stored: np.ndarray, padding: np.ndarray | None
) -> np.ndarray:
    """stored * slope + intercept, or the values of the modality table; padding may hold anything."""
    if attributes.value(dataset, "ModalityLUTSequence", path) is not None:
        return _by_table(dataset, path, stored)
    slope, intercept = _rescale(dataset, path)
    whole = slope.is_integer() and intercept.is_integer() and max(abs(slope), abs(intercept)) < 2**30
    used = stored if padding is None else stored[~padding]
    if not used.size:
        return np.zeros(stored.shape, np.int16)
    if stored.dtype.kind == "f" or not whole:
        return _as_float32(stored, slope, intercept)
    ends = (int(end) * int(slope) + int(intercept) for end in (used.min(), used.max()))
    if not all(INT16.min <= end <= INT16.max for end in ends):
        return _as_float32(stored, slope, intercept)
    if (slope, intercept) == (1, 0):
        return stored.astype(np.int16)
    values = stored.astype(np.int32 if stored.dtype.itemsize <= 2 else np.int64)
    return np.asarray(values * int(slope) + int(intercept)).astype(np.int16)


def _as_float32(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # values beyond float32 become infinite: refused later
        return np.asarray(stored * slope + intercept).astype(np.float32)


def _by_table(dataset: pydicom.Dataset, path: Path, stored: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(apply_modality_lut(stored, dataset), dtype=np.float32)
    except attributes.UNREADABLE as error:
        raise attributes.damaged(path, error) from error
