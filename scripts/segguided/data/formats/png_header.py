"""What a PNG file states of itself (ISO/IEC 15948): its header, before pixels are allocated; checksums."""

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
class Header:
    """Size in pixels, bits a sample, and how samples stand for colours."""

    width: int
    height: int
    bits: int
    colour: int
    interlaced: bool

    @property
    def kind(self) -> str:
        """Depth and colours in words."""
        return f"{self.bits}-bit {COLOURS.get(self.colour, f'colours of type {self.colour}')}"


def read_header(path: Path) -> Header:
    """The header. Raises ValueError for no plain file, no PNG, and one too large; nothing else is read."""
    if not path.is_file():
        raise ValueError(
            f"{path}: expected a PNG file, but there is none; every image needs a mask of the same name"
        )
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(
            f"{path}: expected a PNG file of at most {LARGEST_FILE >> 20} MB, got {size / 1e6:,.0f} MB; "
            "save the slice anew"
        )
    with path.open("rb") as file:
        first = file.read(IHDR.size)
    if len(first) < IHDR.size or not first.startswith(SIGNATURE) or first[12:16] != b"IHDR":
        raise ValueError(
            f"{path}: expected a whole PNG file, got a damaged or another one (its first bytes are "
            f"{first[:8]!r}); get it again"
        )
    _, _, _, width, height, bits, colour, _, _, interlace = IHDR.unpack(first)
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"{path}: expected at most {MOST_PIXELS:,} pixels in a slice, but its header states {width} × "
            f"{height}; get the file again if that is wrong, else shrink or crop the slice"
        )
    return Header(width, height, bits, colour, interlace == 1)


def find_damage(content: bytes, header: Header) -> str:
    """What is wrong with a whole file, as a clause; empty where nothing is.

    Pillow compares neither the checksum of the pixels nor their number, and shows zeros for what lacks.
    """
    packed: list[bytes] = []
    place, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, place) if place + 8 <= len(content) else (0, b"")
        data = content[place + 8 : place + 8 + length]
        crc = content[place + 8 + length : place + 12 + length]
        if len(crc) < 4:
            return "it is cut short"
        if int.from_bytes(crc, "big") != zlib.crc32(data, zlib.crc32(kind)):
            return f"the checksum of its part {kind.decode('latin-1')!r} is another"
        if kind == b"IDAT":
            packed.append(data)
        place += 12 + length
    return _find_other_length(b"".join(packed), _data_length(header))


def _find_other_length(packed: bytes, expected: int) -> str:
    unpacking = zlib.decompressobj()
    try:
        found = len(unpacking.decompress(packed, expected + 1))
    except zlib.error as error:
        return str(error)
    if found != expected or not unpacking.eof:
        return f"its pixels are not the {expected:,} bytes that its header makes them"
    return ""


def _data_length(header: Header) -> int:
    """Bytes of the unpacked pixels, each row with one byte for its filter, in one pass or Adam7's seven."""
    passes = ADAM7 if header.interlaced else ((0, 0, 1, 1),)
    total = 0
    for first_row, first_column, down, across in passes:
        rows = len(range(first_row, header.height, down))
        columns = len(range(first_column, header.width, across))
        row_bytes = -(-columns * header.bits * CHANNELS[header.colour] // 8)
        total += rows * (1 + row_bytes) if columns else 0
    return total
