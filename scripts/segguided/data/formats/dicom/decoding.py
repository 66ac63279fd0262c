"""The numbers that a DICOM file's pixel data holds, in any encoding, with bounded memory."""

import logging
import struct
from dataclasses import dataclass
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

from segguided.data.formats.dicom import attributes
from segguided.data.formats.dicom.attributes import RefusedError

# pydicom prints the traceback of each decoder that fails; our own message says it in one sentence.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

BITS_ALLOCATED = (8, 16, 32, 64)
CODEC_OVERHEAD = 1 << 16  # bytes that a codec may add to an image of any size: headers, markers, tables
JPEG_LS = 0xF7  # marker of its frame
LOSSY_JPEG = (0xC0, 0xC1, 0xC2)  # markers of the frames that Pillow decodes if they are 8 bits deep
NO_FRAME = (0xC4, 0xC8, 0xCC)  # markers among those of frames that begin none
JP2 = b"\x00\x00\x00\x0cjP  "  # a box around JPEG 2000, which DICOM does not need


@dataclass(frozen=True)
class StoredImage:
    """The image that a header states, before its pixels are decoded."""

    path: Path
    syntax: UID
    rows: int
    columns: int
    bits_allocated: int

    @property
    def size(self) -> int:
        """Bytes of its decoded pixels."""
        return self.rows * self.columns * self.bits_allocated // 8


def decode(dataset: pydicom.Dataset, path: Path) -> tuple[np.ndarray, bool]:
    """Pixels (row, column) with all bits of BitsAllocated, and whether a codec delivered plain values.

    Raises ValueError if the file is damaged, or in an encoding for which there is no decoder.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    decoder = _decoder(syntax, path)
    bits = attributes.whole_number(dataset, "BitsAllocated", path)
    if bits not in BITS_ALLOCATED:
        raise ValueError(f"{path}: expected 8, 16, 32 or 64 as BitsAllocated, got {bits}; convert the series")
    if "PixelData" in dataset and attributes.whole_number(dataset, "PixelRepresentation", path) not in (0, 1):
        raise ValueError(f"{path}: expected 0 or 1 as PixelRepresentation; correct the header")
    try:
        _check_lengths(dataset, path, syntax)
        array, _ = decoder.as_array(dataset, raw=True, correct_unused_bits=False)
    except RefusedError:
        raise
    except attributes.UNREADABLE as error:
        raise attributes.damaged(path, error) from error
    if array.ndim != 2:
        raise ValueError(f"{path}: expected one image of grey values, got pixels of shape {array.shape}")
    is_coded = syntax in JPEG2000TransferSyntaxes or syntax in JPEGTransferSyntaxes
    return array.astype(array.dtype.newbyteorder("="), copy=False), is_coded


def _decoder(syntax: UID, path: Path) -> Decoder:
    try:
        decoder = get_decoder(syntax)
        available = decoder.is_available
    except (NotImplementedError, ValueError):  # not the transfer syntax of any image
        available = False
    if not available:
        raise _unsupported(path, syntax.name, syntax)
    return decoder


def _unsupported(path: Path, encoding: str, syntax: UID) -> RefusedError:
    tool = "gdcmconv --raw IN OUT"
    if syntax in JPEGTransferSyntaxes:
        tool = f"dcmdjpeg IN OUT (DCMTK) or {tool} (GDCM)"
    return RefusedError(
        f"{path}: expected uncompressed, RLE, JPEG 2000, JPEG-LS or 8-bit JPEG pixels, got {encoding}, for "
        "which no decoder is installed (the file may well be whole); decompress the series first, as by "
        f"{tool}"
    )


def _check_lengths(dataset: pydicom.Dataset, path: Path, syntax: UID) -> None:
    """Compare the stored bytes with the size in the header, before a decoder allocates memory for it."""
    keyword = next(key for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if key in dataset)
    pixels = dataset[keyword].value
    image = StoredImage(
        path,
        syntax,
        rows=attributes.whole_number(dataset, "Rows", path),
        columns=attributes.whole_number(dataset, "Columns", path),
        bits_allocated=attributes.whole_number(dataset, "BitsAllocated", path),
    )
    if syntax.is_encapsulated:
        _check_code(dataset, image, next(generate_frames(pixels, number_of_frames=1)))
    else:
        _check_plain(image, pixels)


def _check_plain(image: StoredImage, pixels: bytes) -> None:
    row_size = image.columns * image.bits_allocated // 8
    if len(pixels) >= image.size + max(2, row_size):
        raise RefusedError(
            f"{image.path}: expected {image.size:,} bytes of pixels for {image.rows} rows and "
            f"{image.columns} columns of {image.bits_allocated} bits, got {len(pixels):,}; correct the "
            "header or leave the series out"
        )


def _check_code(dataset: pydicom.Dataset, image: StoredImage, code: bytes) -> None:
    if len(code) > 2 * image.size + CODEC_OVERHEAD:
        raise RefusedError(
            f"{image.path}: expected a coded image of about {image.size:,} bytes, got {len(code):,} bytes of "
            "code; get the file again"
        )
    coded = _coded_size(dataset, image, code)
    if coded not in (None, (image.rows, image.columns)):
        raise RefusedError(
            f"{image.path}: expected an image of {image.rows} rows and {image.columns} columns, as the "
            f"header states, got one of {coded} inside its {image.syntax.name}; get the file again"
        )


def _coded_size(dataset: pydicom.Dataset, image: StoredImage, code: bytes) -> tuple[int, int] | None:
    """Rows and columns in the codec's own header; None for run lengths, which state none."""
    if image.syntax in JPEG2000TransferSyntaxes:
        return _size_of_jpeg2000(code)
    if image.syntax in JPEGLSTransferSyntaxes:
        marker, _, size = _frame_of_jpeg(code)
        if marker != JPEG_LS:
            raise ValueError("no JPEG-LS begins where its pixels should")
        return size
    if image.syntax not in JPEGTransferSyntaxes:
        return None
    marker, precision, size = _frame_of_jpeg(code)
    if marker not in LOSSY_JPEG:
        raise _unsupported(image.path, "lossless or arithmetic JPEG", image.syntax)
    stored = attributes.whole_number(dataset, "BitsStored", image.path)
    if precision != 8 or (image.syntax == JPEGExtended12Bit and stored != 8):
        raise _unsupported(image.path, f"{max(precision, stored)}-bit JPEG", image.syntax)
    return size


def _size_of_jpeg2000(code: bytes) -> tuple[int, int]:
    """Rows and columns in the SIZ marker, which comes second (ISO/IEC 15444-1, A.5.1)."""
    start = _after_boxes(code)
    if code[start : start + 4] != b"\xff\x4f\xff\x51":
        raise ValueError("no JPEG 2000 begins where its pixels should")
    right, lower, left, upper = struct.unpack(">4I", code[start + 8 : start + 24])
    return lower - upper, right - left


def _after_boxes(code: bytes) -> int:
    """Where JPEG 2000 begins; pydicom's own search would never end at a box without a length."""
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
    """Marker, bits a sample, (rows, columns) of the frame header (ISO/IEC 10918-1, B.2.2; 14495-1, C.2.2)."""
    at = 2
    while at + 9 <= len(code) and code[at] == 0xFF:
        marker = code[at + 1]
        if marker == JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in NO_FRAME):
            rows, columns = struct.unpack(">HH", code[at + 5 : at + 9])
            return marker, code[at + 4], (rows, columns)
        at += 1 if marker == 0xFF else 2 + int.from_bytes(code[at + 2 : at + 4], "big")
    raise ValueError("no JPEG begins where its pixels should")
