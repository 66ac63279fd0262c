"""The header of an NRRD file: its fields, and how the voxels are stored."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

import nrrd
import numpy as np

from segguided.data.formats import file_kinds

NrrdHeader = Mapping[str, Any]  # the standard's fields by their names in lower case

LONGEST_HEADER = 16 << 20  # bytes; those of a hundred segments take some 100 KB
TYPES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
TYPE_OF = {name: code for code, names in TYPES.items() for name in names.split(", ")}
TEXT = ("ascii", "text", "txt")  # encodings of voxels written as text
ORDERS = ("little", "big")
VECTORS = ("space directions", "space origin", "measurement frame")
WORDS = ("space", "type", "encoding", "endian")  # fields whose values mean the same in any case
SPELLINGS = {"datafile": "data file", "lineskip": "line skip", "byteskip": "byte skip"}
SPELLINGS |= {f"axis{end}": f"axis {end}" for end in ("mins", "maxs")}
FIELD = re.compile(r"([^:]+):(?!=)\s*(.*)")  # a field of the standard; a user's pair of key and value has :=


@dataclass(frozen=True)
class VoxelLayout:
    """How a header says that the voxels are stored."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def voxels(self) -> int:
        """How many there are."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the unpacked voxels."""
        return self.voxels * self.dtype.itemsize


def read_header(file: BufferedReader) -> NrrdHeader:
    """The header of an open file, which then is at its voxels.

    Raises EOFError if it is truncated, and ValueError, saying what to do, if it is not understood.
    """
    lines = list(_lines(file))
    sizes = [value for name, value in map(_field, lines) if name == "sizes"]
    try:
        header: dict[str, Any] = nrrd.read_header(iter(lines))
    # pynrrd raises the last three for a value that is empty or of another type.
    except (nrrd.NRRDError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"its header is not understood ({error}); export it again") from error
    lacking = {"dimension", "type", "encoding", "sizes"} - header.keys()
    if lacking:
        raise EOFError(f"its header lacks {', '.join(sorted(lacking))}")
    # Read again here: pynrrd cuts 3.5 to 3 and lets 1e30 overflow.
    header["sizes"] = [int(size) if size.isdecimal() else 0 for size in sizes[0].split()]
    return header


def _lines(file: BufferedReader) -> Iterator[str]:
    """The header's lines, spelled as pynrrd expects them; at the end the file is at the voxels."""
    start = file.read(file_kinds.LENGTH)
    if start and not start.startswith(b"NRRD"):
        raise ValueError(f"it is {file_kinds.kind_of(start)}")
    file.seek(0)
    left = LONGEST_HEADER
    has_voxel_file = False
    while left > 0:
        line = file.readline(left)
        if not line and not has_voxel_file:
            raise EOFError("it ends within its header")
        left -= len(line)
        text = _text(line).rstrip()
        if not text:
            return
        _check_line(line, text)
        name, value = _field(text)
        if name == "data file":
            _check_single_file(value)
            has_voxel_file = True
        yield _spelled(text)
    raise ValueError(f"its header has no end within {LONGEST_HEADER >> 20} MiB; export it again")


def _check_line(line: bytes, text: str) -> None:
    if ":" in text or text.startswith(("#", "NRRD")):
        return
    if not line.endswith(b"\n"):
        raise EOFError("it ends within its header")
    raise ValueError(f"a line of its header has no colon: {text[:40]!r}; export it again")


def _check_single_file(voxel_file: str) -> None:
    if voxel_file.split()[:1] == ["LIST"] or re.search(r"%\d*[di]", voxel_file):
        raise ValueError(
            f"its voxels are spread over several files (data file: {voxel_file}); save it as one file"
        )


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")  # from old programs


def _spelled(line: str) -> str:
    name, value = _field(line)
    if line.startswith("#") or not name:
        return line
    if name in VECTORS:  # pynrrd would split a vector at a blank after a comma
        value = re.sub(r"\(([^)]*)\)", _without_blanks, value)
    return f"{name}: {value.lower() if name in WORDS else value}"


def _without_blanks(vector: re.Match[str]) -> str:
    return f"({''.join(vector[1].split())})"


def _field(line: str) -> tuple[str, str]:
    """Name, in its usual spelling, and value of a field of the standard; two empty words for other lines."""
    match = FIELD.fullmatch(line)
    if not match or line.startswith("#"):
        return "", ""
    name = match[1].strip().lower()
    return SPELLINGS.get(name, name), match[2].strip()


def voxel_layout(header: NrrdHeader) -> VoxelLayout:
    """How the voxels are stored. Raises ValueError for impossible sizes and unknown types."""
    return VoxelLayout(_shape(header), _dtype(header))


def _shape(header: NrrdHeader) -> tuple[int, ...]:
    shape = tuple(header["sizes"])
    if len(shape) != header["dimension"] or min(shape, default=0) < 1:
        raise ValueError(
            f"its header states {header['dimension']} axes of the sizes {shape}; each needs a whole number "
            "of voxels, 1 at the least: correct the header or export it again"
        )
    return shape


def _dtype(header: NrrdHeader) -> np.dtype:
    if header["type"] not in TYPE_OF:
        raise ValueError(f"its voxels are of the type {header['type']}, expected numbers; convert it")
    dtype = np.dtype(TYPE_OF[header["type"]])
    if dtype.itemsize == 1 or header["encoding"] in TEXT:
        return dtype
    if header.get("endian") not in ORDERS:
        raise ValueError(
            f"its header states the order of bytes, endian, as {header.get('endian')}; expected little or "
            "big: correct the header"
        )
    return np.dtype(("<" if header["endian"] == "little" else ">") + TYPE_OF[header["type"]])


def type_name(dtype: np.dtype) -> str:
    """The first of the standard's names for a type of numbers."""
    return TYPES[dtype.str[1:]].split(",")[0]
