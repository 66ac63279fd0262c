"""Voxels and header of NRRD files. The header says how many bytes there are; no more are ever unpacked."""

from io import BufferedReader
from pathlib import Path

import numpy as np

from segguided.data.formats import file_kinds, packed
from segguided.data.formats.bounds import refuse_huge
from segguided.data.formats.errors import errors_begin_with
from segguided.data.formats.nrrd_header import (
    LONGEST_HEADER,
    TEXT,
    NrrdHeader,
    VoxelLayout,
    read_header,
    type_name,
    voxel_layout,
)

LONGEST_TEXT = 256 << 20  # bytes of voxels written as text
LONGEST_NUMBER = 40  # characters of a voxel written as text
PACKED = {
    "gzip": file_kinds.GZIP,
    "gz": file_kinds.GZIP,
    "bzip2": file_kinds.BZIP2,
    "bz2": file_kinds.BZIP2,
}
SPARE = 64 << 20  # bytes that may come before the voxels if a header says that these are the last ones


def read(path: Path) -> tuple[np.ndarray, NrrdHeader]:
    """Voxels as stored, first axis fastest, and header.

    Raises ValueError if the file is missing, damaged or huge, or its form is not understood.
    """
    file_kinds.check_is_file(path, "an NRRD file")
    with packed.one_sentence(path, "NRRD", "an NRRD file"), path.open("rb") as file:
        header = read_header(file)
        layout = voxel_layout(header)
        refuse_huge(str(path), layout.voxels, layout.dtype.itemsize)
        voxel_file = header.get("data file")
        if voxel_file is None:
            return _voxels(file, header, layout), header
        with _beside(path, voxel_file).open("rb") as data:
            return _voxels(data, header, layout), header


def _beside(path: Path, name: str) -> Path:
    """The file of voxels that a header names; it must be in the header's folder or below."""
    folder = path.parent.resolve()
    voxels = (path.parent / name).resolve()
    if not voxels.is_relative_to(folder):
        raise ValueError(
            f"its voxels are outside its own folder (data file: {name}), where none are read; save header "
            "and voxels as one file, or side by side"
        )
    with errors_begin_with(path):
        file_kinds.check_is_file(voxels, "its voxels")
    return voxels


def _voxels(file: BufferedReader, header: NrrdHeader, layout: VoxelLayout) -> np.ndarray:
    """All voxels; the file is at the first of them, or at what the header says to skip before."""
    for _ in range(_count(header, "line skip", 0)):
        if not file.readline(LONGEST_HEADER):
            raise EOFError("it ends before its first voxel")
    encoding = header["encoding"]
    if encoding in TEXT:
        return _numbers(file, layout)
    if encoding != "raw" and encoding not in PACKED:
        raise ValueError(
            f"its voxels are encoded as {encoding}; expected raw, ascii, gzip or bzip2: save it so"
        )
    skipped = _bytes_before(file, header, layout)
    stream = _stream(file, encoding)
    packed.skip(stream, skipped)
    array = packed.read_array(stream, layout.shape, layout.dtype)
    with packed.damage_first(stream):
        if packed.skip(stream, 1):
            raise _too_many(layout)
    return array


def _bytes_before(file: BufferedReader, header: NrrdHeader, layout: VoxelLayout) -> int:
    """How many unpacked bytes come before the voxels; with "byte skip: -1" the voxels are the last bytes."""
    encoding = header["encoding"]
    skipped = _count(header, "byte skip", -1)
    if skipped == -1:
        begin = file.tell()
        length = _length(_stream(file, encoding), SPARE + layout.size)
        skipped = max(0, length - layout.size)
        file.seek(begin)
    if skipped > SPARE and encoding in PACKED:
        raise ValueError(f"over {SPARE >> 20} MiB come before its voxels; save it again")
    return skipped


def _too_many(layout: VoxelLayout) -> ValueError:
    return ValueError(
        f"it holds more voxels than the sizes {layout.shape} in its header; correct the header or export it "
        "again"
    )


def _length(stream: packed.Stream, most: int) -> int:
    length = packed.skip(stream, most + 1)
    if length > most:
        raise ValueError(f"over {SPARE >> 20} MiB come before its voxels; save it again")
    return length


def _stream(file: BufferedReader, encoding: str) -> packed.Stream:
    return file if encoding == "raw" else packed.Unpacked(file, PACKED[encoding])


def _count(header: NrrdHeader, field: str, least: int) -> int:
    count = int(header.get(field, 0))
    if count < least:
        raise ValueError(f"its header has {field}: {count}, expected {least} or more; correct the header")
    return count


def _numbers(file: BufferedReader, layout: VoxelLayout) -> np.ndarray:
    """Voxels written as text."""
    text = file.read(LONGEST_TEXT + 1)
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"its voxels are over {LONGEST_TEXT >> 20} MiB of text; save it as gzip")
    words = text.replace(b",", b" ").split()
    if len(words) < layout.voxels:
        raise EOFError("it ends before its last voxel")
    if len(words) > layout.voxels:
        raise _too_many(layout)
    dtype = layout.dtype
    try:
        longest = max(map(len, words))
        if longest > LONGEST_NUMBER:  # numpy gives each word the room of the longest
            raise ValueError(f"{longest} characters long")
        numbers = np.array(words).astype(dtype if dtype.kind != "f" else np.float64).astype(dtype)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"a voxel is no number of the type {type_name(dtype)} ({error}); export it again"
        ) from error
    return numbers.reshape(layout.shape, order="F")
