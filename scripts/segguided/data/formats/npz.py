"""Sealed, uncompressed .npz files, memory-mapped when read; numpy itself maps only single .npy files."""

import io
import math
import struct
import tokenize
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from segguided.files import atomic_path
from segguided.seals import check_archive, damaged, seal_archive

# Bytes of a zip member's header before its name; the last four are the lengths of name and extra field.
LOCAL_HEADER = 30
LONGEST_HEADER = 1 << 14  # bytes; numpy refuses to read longer .npy headers
DAMAGED = (
    *(zipfile.BadZipFile, NotImplementedError, struct.error, tokenize.TokenError, SyntaxError),
    *(EOFError, ValueError, TypeError, IndexError, OverflowError),
)


def write_npz(path: Path, facts: Mapping[str, str] | None = None, /, **arrays: np.ndarray) -> None:
    """Write an uncompressed .npz atomically, with `facts` in its seal; equal content gives equal bytes."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
        seal_archive(temporary, path, facts or {})


def map_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an uncompressed .npz by name, as read-only views of one memory map.

    Every byte is read once, for its checksum. Raises ValueError if the file is truncated, damaged, compressed
    or was written for another place; OSError if there is no file.
    """
    try:
        whole = np.asarray(np.memmap(path, np.uint8, "r"))
    except ValueError as error:  # an empty file
        raise damaged(path, error) from error
    check_archive(path, whole)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        return {member.filename.removesuffix(".npy"): _array(whole, member) for member in members}
    except DAMAGED as error:
        raise damaged(path, str(error) or type(error).__name__) from error


def _array(whole: np.ndarray, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"member {member.filename} is compressed, expected it stored")
    lengths_end = member.header_offset + LOCAL_HEADER
    name_length, extra_length = struct.unpack("<HH", whole[lengths_end - 4 : lengths_end].tobytes())
    start = lengths_end + name_length + extra_length
    content = whole[start : start + member.file_size]
    header = io.BytesIO(content[:LONGEST_HEADER].tobytes())
    version = np.lib.format.read_magic(header)
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, is_fortran, dtype = read_header(header)
    values = content[header.tell() :]
    if values.size != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"member {member.filename} holds {values.size} bytes, not {shape} of {dtype}")
    return values.view(dtype).reshape(shape, order="F" if is_fortran else "C")
