"""The numbers that a DICOM file's pixel data holds, in whatever form they are coded, within bounds."""

import logging
import struct
from pathlib import Path

import numpy as np
import pydicom
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGExtended12Bit,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from segguided.data.formats.dicom import header

# pydicom prints the traceback of each decoder that fails; what failed is told in one sentence here.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

BITS_ALLOCATED = (8, 16, 32, 64)
CODED = 1 << 16  # bytes that a codec may add to an image of any size: headers, markers, tables
LOSSY_JPEG = (0xC0, 0xC1, 0xC2)  # markers of the frames that Pillow decodes, where they are 8 bits deep
NO_FRAME = (0xC4, 0xC8, 0xCC)  # markers among those of frames that begin none
JP2 = b"\x00\x00\x00\x0cjP  "  # a box around JPEG 2000 that DICOM does without


def decoded(dataset: pydicom.Dataset, path: Path) -> tuple[np.ndarray, bool]:
    """Pixels (row, column), all bits of BitsAllocated as they are, and whether a codec delivers plain values.

    Raises ValueError where the file is damaged, or in a form for which there is no decoder.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    decoder = _decoder(syntax, path)
    bits = header.whole(dataset, "BitsAllocated", path)
    if bits not in BITS_ALLOCATED:
        raise ValueError(f"{path}: expected 8, 16, 32 or 64 as BitsAllocated, got {bits}; convert the series")
    if "PixelData" in dataset and header.whole(dataset, "PixelRepresentation", path) not in (0, 1):
        raise ValueError(f"{path}: expected 0 or 1 as PixelRepresentation; mend the header")
    try:
        _check_lengths(dataset, path, syntax)
        array, _ = decoder.as_array(dataset, raw=True, correct_unused_bits=False)
    except _Refused:
        raise
    except header.UNREADABLE as error:
        raise header.damaged(path, error) from error
    if array.ndim != 2:
        raise ValueError(f"{path}: expected one image of grey values, got pixels of shape {array.shape}")
    is_coded = syntax in JPEG2000TransferSyntaxes or syntax in JPEGTransferSyntaxes
    return array.astype(array.dtype.newbyteorder("="), copy=False), is_coded


class _Refused(ValueError):
    """A whole file that is refused, in a sentence of its own."""


def _decoder(syntax: UID, path: Path) -> Decoder:
    try:
        decoder = get_decoder(syntax)
        available = decoder.is_available
    except (NotImplementedError, ValueError):  # no transfer syntax of images at all
        available = False
    if not available:
        raise _unsupported(path, syntax.name, syntax)
    return decoder


def _unsupported(path: Path, form: str, syntax: UID) -> "_Refused":
    tool = "gdcmconv --raw IN OUT"
    if syntax in JPEGTransferSyntaxes:
        tool = f"dcmdjpeg IN OUT (DCMTK) or {tool} (GDCM)"
    elif syntax in JPEGLSTransferSyntaxes:
        tool = f"dcmdjpls IN OUT (DCMTK) or {tool} (GDCM)"
    return _Refused(
        f"{path}: expected uncompressed, RLE, JPEG 2000 or 8-bit JPEG pixels, got {form}, for which no "
        f"decoder is installed (the file may well be whole); decompress the series first, as by {tool}"
    )


def _check_lengths(dataset: pydicom.Dataset, path: Path, syntax: UID) -> None:
    """Hold what is stored against the size that the header states, before a decoder takes memory for it."""
    keyword = next(key for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if key in dataset)
    pixels = dataset[keyword].value
    rows, columns, bits = (header.whole(dataset, key, path) for key in ("Rows", "Columns", "BitsAllocated"))
    stated = rows * columns * bits // 8
    if not syntax.is_encapsulated:
        if len(pixels) >= stated + max(2, columns * bits // 8):
            raise _Refused(
                f"{path}: expected {stated:,} bytes of pixels for {rows} rows and {columns} columns of "
                f"{bits} bits, got {len(pixels):,}; mend the header or leave the series out"
            )
        return
    code = next(generate_frames(pixels, number_of_frames=1))
    if len(code) > 2 * stated + CODED:
        raise _Refused(
            f"{path}: expected a coded image of about {stated:,} bytes, got {len(code):,} bytes of code; get "
            "the file again"
        )
    coded = _coded_size(dataset, path, syntax, code)
    if coded not in (None, (rows, columns)):
        raise _Refused(
            f"{path}: expected an image of {rows} rows and {columns} columns, as the header states, got one "
            f"of {coded} inside its {syntax.name}; get the file again"
        )


def _coded_size(dataset: pydicom.Dataset, path: Path, syntax: UID, code: bytes) -> tuple[int, int] | None:
    """Rows and columns that the codec's own header states; None of run lengths, which state none."""
    if syntax in JPEG2000TransferSyntaxes:
        return _size_of_jpeg2000(code)
    if syntax not in JPEGTransferSyntaxes:
        return None
    kind, precision, size = _frame_of_jpeg(code)
    if kind not in LOSSY_JPEG:
        raise _unsupported(path, "lossless or arithmetic JPEG", syntax)
    stored = header.whole(dataset, "BitsStored", path)
    if precision != 8 or (syntax == JPEGExtended12Bit and stored != 8):
        raise _unsupported(path, f"{max(precision, stored)}-bit JPEG", syntax)
    return size


def _size_of_jpeg2000(code: bytes) -> tuple[int, int]:
    """Of the SIZ marker, which comes second (ISO/IEC 15444-1, A.5.1)."""
    start = _after_boxes(code)
    if code[start : start + 4] != b"\xff\x4f\xff\x51":
        raise ValueError("no JPEG 2000 begins where its pixels should")
    right, lower, left, upper = struct.unpack(">4I", code[start + 8 : start + 24])
    return lower - upper, right - left


def _after_boxes(code: bytes) -> int:
    """Where JPEG 2000 begins; a box without a length would never end in pydicom's own search."""
    if not code.startswith(JP2):
        return 0
    at = 12
    while code[at + 4 : at + 8] != b"jp2c":
        length = int.from_bytes(code[at : at + 4], "big")
        if length < 8:
            raise ValueError("a box around its JPEG 2000 states no length")
        at += length
    return at + 8


def _frame_of_jpeg(code: bytes) -> tuple[int, int, tuple[int, int]]:
    """Marker, bits a sample, rows and columns of the frame header (ISO/IEC 10918-1, B.2.2)."""
    at = 2
    while at + 9 <= len(code) and code[at] == 0xFF:
        marker = code[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in NO_FRAME:
            rows, columns = struct.unpack(">HH", code[at + 5 : at + 9])
            return marker, code[at + 4], (rows, columns)
        at += 1 if marker == 0xFF else 2 + int.from_bytes(code[at + 2 : at + 4], "big")
    raise ValueError("no JPEG begins where its pixels should")
