"""The header of a PNG file (ISO/IEC 15948), read before any pixels are allocated, and its checksums."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

MOST_PIXELS = 1 << 26  # 8192 × 8192; Pillow warns of "decompression bombs" from 89 million on
LARGEST_FILE = 256 << 20  # bytes; 8192 × 8192 noisy colour pixels take 201 MB
SIGNATURE = b"\x89PNG\r\n\x1a\n"
IHDR = struct.Struct(">8sI4sIIBBBBB")
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
# First row and column of each pass of interlaced pixels, and the steps to its next ones (8.2).
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
COLOURS = {0: "greyscale", 2: "RGB", 3: "a palette", 4: "greyscale with transparency", 6: "RGBA"}


@dataclass(frozen=True)
class PngHeader:
    """Size in pixels, bits a sample, and how samples encode colours."""

    width: int
    height: int
    bits: int
    colour: int
    interlaced: bool

    @property
    def kind(self) -> str:
        """Depth and colours in words."""
        return f"{self.bits}-bit {COLOURS.get(self.colour, f'colours of type {self.colour}')}"


def read_header(path: Path) -> PngHeader:
    """The header; nothing else is read. Raises ValueError if the file is missing, no PNG, or too large."""
    if not path.is_file():
        raise ValueError(
            f"{path}: expected a PNG file, but there is none; every image needs a mask of the same name"
        )
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(
            f"{path}: expected a PNG file of at most {LARGEST_FILE >> 20} MB, got {size / 1e6:,.0f} MB; "
            "save the slice again"
        )
    with path.open("rb") as file:
        first = file.read(IHDR.size)
    if len(first) < IHDR.size or not first.startswith(SIGNATURE) or first[12:16] != b"IHDR":
        raise ValueError(
            f"{path}: expected a whole PNG file, got a damaged or another file (its first bytes are "
            f"{first[:8]!r}); get it again"
        )
    _, _, _, width, height, bits, colour, _, _, interlace = IHDR.unpack(first)
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"{path}: expected at most {MOST_PIXELS:,} pixels in a slice, but its header states {width} × "
            f"{height}; get the file again if that is wrong, else shrink or crop the slice"
        )
    return PngHeader(width, height, bits, colour, interlace == 1)


def find_damage(content: bytes, header: PngHeader) -> str:
    """What is wrong with a whole file, as a clause; empty if nothing is.

    Pillow checks neither the checksum of the pixels nor their number, and shows zeros for missing ones.
    """
    packed: list[bytes] = []
    place = len(SIGNATURE)
    kind = b""
    # Each chunk: length, kind, data, checksum of kind and data.
    while kind != b"IEND":
        if place + 8 > len(content):
            return "it is cut short"
        length, kind = struct.unpack_from(">I4s", content, place)
        data = content[place + 8 : place + 8 + length]
        checksum = content[place + 8 + length : place + 12 + length]
        if len(checksum) < 4:
            return "it is cut short"
        if int.from_bytes(checksum, "big") != zlib.crc32(data, zlib.crc32(kind)):
            return f"the checksum of its part {kind.decode('latin-1')!r} is wrong"
        if kind == b"IDAT":
            packed.append(data)
        place += 12 + length
    return _find_wrong_length(b"".join(packed), _data_length(header))


def _find_wrong_length(packed: bytes, expected: int) -> str:
    unpacking = zlib.decompressobj()
    try:
        length = len(unpacking.decompress(packed, expected + 1))
    except zlib.error as error:
        return str(error)
    if length != expected or not unpacking.eof:
        return f"its pixels are not the {expected:,} bytes that its header states"
    return ""


def _data_length(header: PngHeader) -> int:
    """Bytes of the unpacked pixels, each row with one byte for its filter, in one pass or Adam7's seven."""
    passes = ADAM7 if header.interlaced else ((0, 0, 1, 1),)
    total = 0
    for first_row, first_column, down, across in passes:
        rows = len(range(first_row, header.height, down))
        columns = len(range(first_column, header.width, across))
        row_bytes = -(-columns * header.bits * CHANNELS[header.colour] // 8)
        total += rows * (1 + row_bytes) if columns else 0
    return total
