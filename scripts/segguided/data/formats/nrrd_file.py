"""Header and voxels of NRRD files. The header tells how many bytes there are; no more are ever unpacked."""

import math
import re
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import nrrd
import numpy as np

from segguided.data.formats import forms, gzipped
from segguided.data.formats.bounds import refuse_huge

Header = Mapping[str, Any]

LONGEST_HEADER = 16 << 20  # bytes; those of a hundred segments take some 100 KB
LONGEST_TEXT = 256 << 20  # bytes of voxels written as text
LONGEST_NUMBER = 40  # characters of one
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
PACKED = {"gzip": forms.GZIP, "gz": forms.GZIP, "bzip2": forms.BZIP2, "bz2": forms.BZIP2}
TEXT = ("ascii", "text", "txt")
ORDERS = ("little", "big")
SPARE = 64 << 20  # bytes before the voxels, where a header says that they come last
VECTORS = ("space directions", "space origin", "measurement frame")
WORDS = ("space", "type", "encoding", "endian")  # values that are the same in any case
SPELLINGS = {"datafile": "data file", "lineskip": "line skip", "byteskip": "byte skip"}
SPELLINGS |= {f"axis{end}": f"axis {end}" for end in ("mins", "maxs")}
FIELD = re.compile(r"([^:]+):(?!=)\s*(.*)")  # the standard's own; a user's pair of key and value has :=


def read(path: Path) -> tuple[np.ndarray, Header]:
    """Voxels as stored, first axis fastest, and header: the standard's fields in lower case.

    Raises ValueError for a missing, damaged or huge file, or a form that is not understood.
    """
    forms.check_is_file(path, "an NRRD file")
    with gzipped.one_sentence(path, "NRRD", "an NRRD file"), path.open("rb") as file:
        header = _header(file)
        shape, dtype = _shape(header), _dtype(header)
        refuse_huge(str(path), math.prod(shape), dtype.itemsize)
        detached = header.get("data file")
        if detached is None:
            return _voxels(file, header, shape, dtype), header
        with _beside(path, detached).open("rb") as data:
            return _voxels(data, header, shape, dtype), header


def _header(file: BufferedReader) -> dict[str, Any]:
    lines = list(_lines(file))
    sizes = [value for name, value in map(_parted, lines) if name == "sizes"]
    try:
        header: dict[str, Any] = nrrd.read_header(iter(lines))
    # pynrrd lets these escape where a value is none of its type, or empty.
    except (nrrd.NRRDError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"its header is not understood ({error}); export it again") from error
    lacking = {"dimension", "type", "encoding", "sizes"} - header.keys()
    if lacking:
        raise EOFError(f"its header lacks {', '.join(sorted(lacking))}")
    # pynrrd cuts 3.5 to 3 and lets 1e30 run over.
    header["sizes"] = [int(size) if size.isdecimal() else 0 for size in sizes[0].split()]
    return header


def _lines(file: BufferedReader) -> Iterator[str]:
    """The header's lines, spelled as pynrrd knows them; the file then stands at the voxels."""
    start = file.read(forms.LENGTH)
    if start and not start.startswith(b"NRRD"):
        raise ValueError(f"it is {forms.named(start)}")
    file.seek(0)
    left, detached = LONGEST_HEADER, False
    while left > 0:
        line = file.readline(left)
        if not line and not detached:
            raise EOFError("it ends within its header")
        left -= len(line)
        text = _text(line).rstrip()
        if not text:
            return
        if ":" not in text and not text.startswith(("#", "NRRD")):
            if not line.endswith(b"\n"):
                raise EOFError("it ends within its header")
            raise ValueError(f"a line of its header has no colon: {text[:40]!r}; export it again")
        name, value = _parted(text)
        if name == "data file":
            _check_one(value)
            detached = True
        yield _spelled(text)
    raise ValueError(f"its header has no end within {LONGEST_HEADER >> 20} MiB; export it again")


def _check_one(name: str) -> None:
    if name.split()[:1] == ["LIST"] or re.search(r"%\d*[di]", name):
        raise ValueError(f"its voxels are spread over several files (data file: {name}); save it as one file")


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")  # of old programs


def _spelled(line: str) -> str:
    name, value = _parted(line)
    if line.startswith("#") or not name:
        return line
    if name in VECTORS:  # a blank after a comma would part the vector
        value = re.sub(r"\(([^)]*)\)", _without_blanks, value)
    return f"{name}: {value.lower() if name in WORDS else value}"


def _without_blanks(vector: re.Match[str]) -> str:
    return f"({''.join(vector[1].split())})"


def _parted(line: str) -> tuple[str, str]:
    """Name, in its one spelling, and value of a field of the standard; two empty words for other lines."""
    found = FIELD.fullmatch(line)
    if not found or line.startswith("#"):
        return "", ""
    name = found[1].strip().lower()
    return SPELLINGS.get(name, name), found[2].strip()


def _shape(header: Header) -> tuple[int, ...]:
    shape = tuple(header["sizes"])
    if len(shape) != header["dimension"] or min(shape, default=0) < 1:
        raise ValueError(
            f"its header states {header['dimension']} axes of the sizes {shape}; each needs a whole number "
            "of voxels, 1 at the least: correct the header or export it again"
        )
    return shape


def _dtype(header: Header) -> np.dtype:
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


def _beside(path: Path, name: str) -> Path:
    """The file of voxels that a header names: in its own folder or below, and one only."""
    folder, voxels = path.parent.resolve(), (path.parent / name).resolve()
    if not voxels.is_relative_to(folder):
        raise ValueError(
            f"its voxels lie outside its own folder (data file: {name}), where none are read; save header "
            "and voxels as one file, or side by side"
        )
    try:
        forms.check_is_file(voxels, "its voxels")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return voxels


def _voxels(file: BufferedReader, header: Header, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Stands at the first voxel of the file, or at what is to be skipped before it."""
    for _ in range(_count(header, "line skip", 0)):
        if not file.readline(LONGEST_HEADER):
            raise EOFError("it ends before its first voxel")
    encoding, place = header["encoding"], file.tell()
    if encoding in TEXT:
        return _numbers(file, shape, dtype)
    if encoding != "raw" and encoding not in PACKED:
        raise ValueError(
            f"its voxels are encoded as {encoding}; expected raw, ascii, gzip or bzip2: save it so"
        )
    passed = _count(header, "byte skip", -1)
    if passed == -1:
        there = _length(_stream(file, encoding), SPARE + math.prod(shape) * dtype.itemsize)
        passed = max(0, there - math.prod(shape) * dtype.itemsize)
        file.seek(place)
    if passed > SPARE and encoding in PACKED:
        raise ValueError(f"over {SPARE >> 20} MiB come before its voxels; save it again")
    stream = _stream(file, encoding)
    gzipped.skip(stream, passed)
    array = gzipped.read_array(stream, shape, dtype)
    with gzipped.damage_first(stream):
        if gzipped.skip(stream, 1):
            raise ValueError(
                f"it holds more voxels than the sizes {shape} in its header; correct the header or export it "
                "again"
            )
    return array


def _length(stream: gzipped.Stream, most: int) -> int:
    length = gzipped.skip(stream, most + 1)
    if length > most:
        raise ValueError(f"over {SPARE >> 20} MiB come before its voxels; save it again")
    return length


def _stream(file: BufferedReader, encoding: str) -> gzipped.Stream:
    return file if encoding == "raw" else gzipped.Unpacked(file, PACKED[encoding])


def _count(header: Header, field: str, least: int) -> int:
    count = int(header.get(field, 0))
    if count < least:
        raise ValueError(f"its header has {field}: {count}, expected {least} or more; correct the header")
    return count


def _numbers(file: BufferedReader, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Voxels written as text."""
    count = math.prod(shape)
    text = file.read(LONGEST_TEXT + 1)
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"its voxels are over {LONGEST_TEXT >> 20} MiB of text; save it as gzip")
    words = text.replace(b",", b" ").split()
    if len(words) < count:
        raise EOFError("it ends before its last voxel")
    if len(words) > count:
        raise ValueError(
            f"it holds more voxels than the sizes {shape} in its header; correct the header or export it "
            "again"
        )
    try:
        if max(map(len, words)) > LONGEST_NUMBER:  # numpy gives each word the room of the longest
            raise ValueError(f"{max(map(len, words))} characters long")
        numbers = np.array(words).astype(dtype if dtype.kind != "f" else np.float64).astype(dtype)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"a voxel is no number of the type {header_name(dtype)} ({error}); export it again"
        ) from error
    return numbers.reshape(shape, order="F")


def header_name(dtype: np.dtype) -> str:
    """The first of the standard's names for a type of numbers."""
    return TYPES[dtype.str[1:]].split(",")[0]
