"""Voxels from gzip, bzip2 and plain files: reads no more bytes than needed and compares every checksum."""

import bz2
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Protocol

import numpy as np
from isal import igzip_lib

from segguided.data.formats import file_kinds

# What a damaged or truncated file raises. The stub of isal declares its class as an instance.
DAMAGED: tuple[type[Exception], ...] = (EOFError, igzip_lib.IsalError)  # type: ignore[assignment]
CHUNK = 1 << 19  # bytes
PART = 1 << 16  # voxels converted at once: few enough to stay in the processor's cache
MOST = 16 << 30  # bytes that a whole file may unpack to
SPARE = 256 << 20  # bytes that may follow the voxels; they are read for their checksum only


class Stream(Protocol):
    """A file, or what is packed in a file."""

    def readinto(self, memory: memoryview, /) -> int:
        """Fill `memory` with the next bytes and return their number; fewer only at the end."""


class Unpacked:
    """What a gzip or bzip2 file holds, member after member; each member's checksum is compared at its end.

    Bytes after the last member that begin no other are ignored, as gzip itself does. Raises EOFError if the
    file ends within a member, and IsalError or OSError for damage.
    """

    def __init__(self, file: BufferedReader, magic: bytes) -> None:
        """`magic` is what each member begins with: file_kinds.GZIP or file_kinds.BZIP2."""
        self._file = file
        self._magic = magic
        self._member = self._new_member()
        self._waiting = b""  # read from the file, but not yet given to the member

    def _new_member(self) -> "igzip_lib.IgzipDecompressor | bz2.BZ2Decompressor":
        if self._magic == file_kinds.BZIP2:
            return bz2.BZ2Decompressor()
        return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)

    def readinto(self, memory: memoryview) -> int:
        """Fill `memory` with the next bytes and return their number; fewer only at the end."""
        filled = 0
        while filled < len(memory) and (not self._member.eof or self._begin_next_member()):
            part = self._member.decompress(self._next_packed(), len(memory) - filled)
            memory[filled : filled + len(part)] = part
            filled += len(part)
        return filled

    def _next_packed(self) -> bytes:
        packed = self._waiting
        self._waiting = b""
        if not packed and self._member.needs_input:
            packed = self._file.read(CHUNK)
            if not packed:
                raise EOFError("it ends in the middle")
        return packed

    def _begin_next_member(self) -> bool:
        """Whether another member follows, which is then the current one."""
        rest = self._member.unused_data.lstrip(b"\0")  # some writers fill up a block with zeros
        while len(rest) < len(self._magic) and (more := self._file.read(CHUNK)):
            rest = (rest + more).lstrip(b"\0")
        if not rest.startswith(self._magic):
            return False
        self._member = self._new_member()
        self._waiting = rest
        return True


@contextmanager
def unpacked(path: Path) -> Iterator[Stream]:
    """The bytes of a file, unpacked if it is a gzip or bzip2 file, whatever its name says."""
    with path.open("rb") as file:
        start = file.read(file_kinds.LENGTH)
        file.seek(0)
        magics = [magic for magic in (file_kinds.GZIP, file_kinds.BZIP2) if start.startswith(magic)]
        yield Unpacked(file, magics[0]) if magics else file


def read_bytes(stream: Stream, count: int) -> bytes:
    """The next `count` bytes, fewer at the end."""
    data = bytearray(count)
    return bytes(data[: stream.readinto(memoryview(data))])


def skip(stream: Stream, count: int) -> int:
    """Skip `count` bytes, fewer at the end; return their number."""
    buffer = memoryview(bytearray(CHUNK))
    skipped = 0
    while skipped < count and (read := stream.readinto(buffer[: min(CHUNK, count - skipped)])):
        skipped += read
    return skipped


def read_array(stream: Stream, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """The next voxels, first axis fastest, read straight into their memory.

    Raises one of DAMAGED if the stream ends early or a checksum is wrong.
    """
    array = np.empty(shape, dtype, order="F")
    memory = memoryview(array.reshape(-1, order="F").view(np.uint8))  # type: ignore[arg-type]
    for start in range(0, len(memory), CHUNK):
        _fill(stream, memory[start : start + CHUNK])
    return array


def read_parts(stream: Stream, count: int, dtype: np.dtype) -> Iterator[tuple[slice, np.ndarray]]:
    """The next `count` voxels in parts, each with its place among them; all parts share one memory."""
    buffer = np.empty(min(count, PART), dtype)
    for start in range(0, count, len(buffer)):
        part = buffer[: count - start]
        _fill(stream, memoryview(part.view(np.uint8)))  # type: ignore[arg-type]
        yield slice(start, start + len(part)), part


def _fill(stream: Stream, memory: memoryview) -> None:
    if stream.readinto(memory) < len(memory):
        raise EOFError("it ends before its last voxel")


def finish(stream: Stream) -> None:
    """Read to the end, where the checksum is. Raises ValueError if far too many bytes follow the voxels."""
    if skip(stream, SPARE) == SPARE:
        raise ValueError(f"over {SPARE >> 20} MiB follow its last voxel")


@contextmanager
def damage_first(stream: Stream) -> Iterator[None]:
    """Before a file is refused for its content, look for damage: a flipped bit can change what it says."""
    try:
        yield
    except ValueError:
        skip(stream, SPARE)
        raise


def check_whole(path: Path) -> None:
    """Read a gzip or bzip2 file to its end.

    Raises one of DAMAGED or OSError if that fails or a checksum is wrong, ValueError for other files.
    """
    with unpacked(path) as stream:
        if not isinstance(stream, Unpacked):
            start = read_bytes(stream, file_kinds.LENGTH)
            raise ValueError(f"instead of a gzip file it is {file_kinds.kind_of(start)}")
        if skip(stream, MOST) == MOST:
            raise ValueError(f"it unpacks to over {MOST >> 30} GiB; no patient takes so much: get it again")


@contextmanager
def one_sentence(path: Path, form: str, expected: str) -> Iterator[None]:
    """Turn what reading a file of this form raises into one sentence that begins with the file."""
    try:
        yield
    except DAMAGED as error:
        raise _damaged(path, form, error) from error
    except MemoryError as error:
        raise ValueError(
            f"{path}: this machine has too little memory for its voxels; free some or crop it"
        ) from error
    except OSError as error:
        if error.errno is not None:  # an error of the disk, not of bzip2
            raise
        raise _damaged(path, form, error) from error
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: expected {expected}, but {error}") from error


def _damaged(path: Path, form: str, error: Exception) -> ValueError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ValueError(
        f"{path}: expected a complete {form} file, but it is truncated or damaged ({reason}); get it again"
    )
