"""Memory-mapped reading of uncompressed .npz files; numpy itself maps only single .npy files."""

import io
import math
import struct
import tokenize
import zipfile
from pathlib import Path

import numpy as np

LOCAL_HEADER = (
    30  # bytes of a zip member's header before its name; the lengths of name and extra field end it
)
LONGEST_HEADER = 1 << 14  # bytes; numpy refuses to read longer .npy headers
DAMAGED = (
    *(zipfile.BadZipFile, NotImplementedError, struct.error, tokenize.TokenError, SyntaxError),
    *(EOFError, ValueError, TypeError, IndexError, OverflowError),
)


def map_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an uncompressed .npz by name, as read-only views of one memory map.

    Raises ValueError where the file is truncated, damaged or compressed; OSError where there is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        whole = np.asarray(np.memmap(path, np.uint8, "r"))
        return {member.filename.removesuffix(".npy"): _array(whole, member) for member in members}
    except DAMAGED as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} is damaged ({reason}); delete it and run the same command again") from error


def _array(whole: np.ndarray, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"member {member.filename} is compressed, expected it stored")
    lengths_end = member.header_offset + LOCAL_HEADER
    name_length, extra_length = struct.unpack("<HH", whole[lengths_end - 4 : lengths_end].tobytes())
    start = lengths_end + name_length + extra_length
    content = whole[start : start + member.file_size]
    head = io.BytesIO(content[:LONGEST_HEADER].tobytes())
    version = np.lib.format.read_magic(head)
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = read_header(head)
    values = content[head.tell() :]
    if values.size != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"member {member.filename} holds {values.size} bytes, not {shape} of {dtype}")
    return values.view(dtype).reshape(shape, order="F" if fortran else "C")
