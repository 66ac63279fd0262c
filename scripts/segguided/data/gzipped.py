"""Arrays out of gzip files, unzipped straight into their memory and to the end, where the checksum lies."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from isal import igzip, isal_zlib

# What a file that is damaged, cut or no gzip raises. The stub of isal takes its class for an instance.
DAMAGED: tuple[type[Exception], ...] = (EOFError, OSError, MemoryError, isal_zlib.error)  # type: ignore[assignment]
CHUNK = 1 << 20


def read_array(file: igzip.IGzipFile, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """The next voxels of `file`, first axis fastest; then the file is read to its end.

    Raises one of DAMAGED where it ends before, or its checksum is another.
    """
    array = np.empty(shape, dtype, order="F")
    memory = memoryview(array.reshape(-1, order="F").view(np.uint8))  # type: ignore[arg-type]
    for start in range(0, len(memory), CHUNK):
        part = memory[start : start + CHUNK]
        if file.readinto(part) < len(part):
            raise EOFError("it ends before its last voxel")
    _read_on(file)
    return array


def check_whole(path: Path) -> None:
    """Read the file to its end. Raises one of DAMAGED where that fails or the checksum is another."""
    with igzip.open(path) as file:
        _read_on(file)


def _read_on(file: igzip.IGzipFile) -> None:
    while file.read(CHUNK):
        pass
