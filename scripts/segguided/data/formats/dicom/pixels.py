"""What the pixels of one DICOM slice mean: stored bits, padding, and their values in modality units.

Standard PS3.3, sections C.7.6.3 (pixels), C.7.5.1.1.2 (padding) and C.11.1 (modality lookup table). A
RealWorldValueMappingSequence is left aside: it offers further units beside those of rescale, which readers
of images take.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.processing import apply_modality_lut

from segguided.data.formats.dicom import header
from segguided.data.formats.dicom.decoding import decoded
from segguided.data.formats.dicom.padding import float_padding, whole_padding

INT16 = np.iinfo(np.int16)
RESCALE = ("RescaleSlope", "RescaleIntercept")


@dataclass(frozen=True)
class Meaning:
    """What all slices of a series have to agree upon."""

    path: Path
    inverted: bool  # the largest value is black
    units: str  # RescaleType, HU where a CT states none
    rescaled: str  # the attribute that turns stored into modality values; empty where there is none
    identity: bool  # whether it leaves every value as stored


@dataclass(frozen=True)
class Pixels:
    """One slice (row, column) in modality units, int16 where exact, else float32; where it is padding."""

    values: np.ndarray
    padding: np.ndarray | None  # bool; None without any


def read_meaning(dataset: pydicom.Dataset, path: Path) -> Meaning:
    """What the header says of the values. Raises ValueError for colour and for what contradicts itself."""
    _check_grey(dataset, path)
    table = header.value(dataset, "ModalityLUTSequence", path) is not None
    slope, intercept = _rescale(dataset, path)
    stated = header.value(dataset, "RescaleSlope", path) is not None
    identity = (slope, intercept) == (1, 0)
    if table and not identity:
        raise ValueError(
            f"{path}: expected RescaleSlope or ModalityLUTSequence, got both; remove the one that does not "
            "hold"
        )
    rescaled = "ModalityLUTSequence" if table else "RescaleSlope" if stated else ""
    return Meaning(path, _is_inverted(dataset, path), _units(dataset, path), rescaled, identity and not table)


def check_one_meaning(meanings: Sequence[Meaning]) -> None:
    """Raise ValueError unless the values of all slices mean the same."""
    first = meanings[0]
    for other in meanings[1:]:
        if other.rescaled != first.rescaled and not (first.identity and other.identity):
            lacking, having = sorted((first, other), key=lambda one: one.rescaled)
            raise ValueError(
                f"{lacking.path}: expected {having.rescaled} as in {having.path.name}, got "
                f"{lacking.rescaled or 'none'}; its values are in other units: mend the header or leave the "
                "series out"
            )
        for what, expected, got in (
            ("PhotometricInterpretation", _photometric(first), _photometric(other)),
            ("RescaleType", first.units, other.units),
        ):
            if expected != got:
                raise ValueError(
                    f"{other.path}: expected the {what} of {first.path.name}, {expected or 'none'}, got "
                    f"{got or 'none'}; move slices of another series away"
                )


def _photometric(meaning: Meaning) -> str:
    return "MONOCHROME1" if meaning.inverted else "MONOCHROME2"


def read_pixels(dataset: pydicom.Dataset, path: Path) -> Pixels:
    """The slice in modality units. Raises ValueError where it is damaged or in a form not understood."""
    if "PixelData" in dataset:
        _check_bits(dataset, path)
    container, is_coded = decoded(dataset, path)
    if container.dtype.kind == "f":
        stored, padding = container, float_padding(dataset, path, container)
    else:
        stored = _stored(dataset, path, container, is_coded)
        padding = whole_padding(dataset, path, stored, container)
    if padding is not None and not padding.any():
        padding = None
    return Pixels(_modality_values(dataset, path, stored, padding), padding)


def _check_grey(dataset: pydicom.Dataset, path: Path) -> None:
    samples = header.whole(dataset, "SamplesPerPixel", path)
    colours = str(header.required(dataset, "PhotometricInterpretation", path)).strip().upper()
    if samples != 1 or colours not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(
            f"{path}: expected grey values (MONOCHROME2, one sample a pixel), got "
            f"{header.printable(colours)} as PhotometricInterpretation with {samples} sample(s); leave the "
            "series out, or take the grey images that it was made of"
        )


def _is_inverted(dataset: pydicom.Dataset, path: Path) -> bool:
    inverted = header.text(dataset, "PhotometricInterpretation", path) == "MONOCHROME1"
    shape = header.text(dataset, "PresentationLUTShape", path)
    if shape not in ("", "INVERSE" if inverted else "IDENTITY"):
        raise ValueError(
            f"{path}: expected PresentationLUTShape {'INVERSE' if inverted else 'IDENTITY'} beside its "
            f"PhotometricInterpretation, got {header.printable(shape)}; whether small values are black or "
            "white is unknown: mend the header or leave the series out"
        )
    if inverted and header.text(dataset, "Modality", path) == "CT":
        raise ValueError(
            f"{path}: expected MONOCHROME2 of a CT, got MONOCHROME1 as PhotometricInterpretation, so that "
            "air would be white; if its values are HU, state MONOCHROME2 in the headers, else leave the "
            "series out"
        )
    return inverted


def _units(dataset: pydicom.Dataset, path: Path) -> str:
    units = header.text(dataset, "RescaleType", path)
    if header.text(dataset, "Modality", path) != "CT":
        return units
    if units not in ("", "HU"):
        raise ValueError(
            f"{path}: expected HU as RescaleType of a CT, got {header.printable(units)}; if its values are "
            "HU, state it in the headers, else leave the series out"
        )
    return "HU"


def _rescale(dataset: pydicom.Dataset, path: Path) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 where the file states neither."""
    present = [keyword for keyword in RESCALE if header.value(dataset, keyword, path) is not None]
    if not present:
        return 1.0, 0.0
    if len(present) == 1:
        lacking = next(keyword for keyword in RESCALE if keyword not in present)
        raise ValueError(
            f"{path}: expected RescaleSlope and RescaleIntercept or neither, but {lacking} is missing; mend "
            "the header or leave the series out"
        )
    slope, intercept = (header.number(dataset, keyword, path) for keyword in RESCALE)
    if slope == 0:
        raise ValueError(
            f"{path}: expected a RescaleSlope other than 0, which makes every value the same; mend the "
            "header or leave the series out"
        )
    return slope, intercept


def _check_bits(dataset: pydicom.Dataset, path: Path) -> None:
    stored, high, allocated = (
        header.whole(dataset, keyword, path) for keyword in ("BitsStored", "HighBit", "BitsAllocated")
    )
    if not 0 < stored <= high + 1 <= allocated:
        raise ValueError(
            f"{path}: expected BitsStored above 0 and at most HighBit + 1, and that at most BitsAllocated, "
            f"got {stored}, {high} + 1 and {allocated}; mend the header or leave the series out"
        )


def _stored(dataset: pydicom.Dataset, path: Path, container: np.ndarray, is_coded: bool) -> np.ndarray:
    """The stored values: BitsStored bits below and with HighBit, the sign extended; other bits dropped."""
    stored, high = header.whole(dataset, "BitsStored", path), header.whole(dataset, "HighBit", path)
    shift = high + 1 - stored
    if is_coded:
        _check_coded(path, shift)
        return container
    if shift:
        _check_bits_below(dataset, path, container, shift)
    allocated = container.dtype.itemsize * 8
    if stored == allocated:
        return container
    bits = container.view(f"u{container.dtype.itemsize}") << np.uint8(allocated - 1 - high)
    return np.asarray(bits.view(container.dtype) >> np.uint8(allocated - stored))


def _check_coded(path: Path, shift: int) -> None:
    if shift:
        raise ValueError(
            f"{path}: expected HighBit = BitsStored - 1 with pixels that a codec delivers, got {shift} more; "
            "mend the header or leave the series out"
        )


def _check_bits_below(dataset: pydicom.Dataset, path: Path, container: np.ndarray, shift: int) -> None:
    """Raise ValueError where bits below the stored ones are set that no overlay explains.

    Then HighBit is more likely wrong than the values are shifted.
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
    """OverlayBitPosition of the group; None where it has no overlay among the pixels' bits."""
    try:
        found = dataset[group, 0x0102].value if (group, 0x0102) in dataset else None
        return None if found is None else min(int(found), 64)
    except header.UNREADABLE as error:
        raise header.damaged(path, error) from error


def _modality_values(
    dataset: pydicom.Dataset, path: Path, stored: np.ndarray, padding: np.ndarray | None
) -> np.ndarray:
    if header.value(dataset, "ModalityLUTSequence", path) is not None:
        return _looked_up(dataset, path, stored)
    slope, intercept = _rescale(dataset, path)
    whole = slope.is_integer() and intercept.is_integer() and max(abs(slope), abs(intercept)) < 2**30
    used = stored if padding is None else stored[~padding]
    if not used.size:
        return np.zeros(stored.shape, np.int16)
    if stored.dtype.kind == "f" or not whole:
        return _scaled(stored, slope, intercept, np.float32)
    ends = (int(end) * int(slope) + int(intercept) for end in (used.min(), used.max()))
    if not all(INT16.min <= end <= INT16.max for end in ends):
        return _scaled(stored, slope, intercept, np.float32)
    if (slope, intercept) == (1, 0):
        return stored.astype(np.int16)
    values = stored.astype(np.int32 if stored.dtype.itemsize <= 2 else np.int64)
    return np.asarray(values * int(slope) + int(intercept)).astype(np.int16)


def _scaled(stored: np.ndarray, slope: float, intercept: float, dtype: type[np.generic]) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond float32 is told as infinite
        return np.asarray(stored * slope + intercept).astype(dtype)


def _looked_up(dataset: pydicom.Dataset, path: Path, stored: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(apply_modality_lut(stored, dataset), dtype=np.float32)
    except header.UNREADABLE as error:
        raise header.damaged(path, error) from error
