"""Pictures of a call, thousands in one folder: each is written whole or not at all.

`segguided.files.atomic_path` looks through the whole folder before each file, for what a killed process left
of that file. Here that is done once for all.
"""

import os
from pathlib import Path

import numpy as np

from segguided.data.formats.png import write_pixels
from segguided.files import leftovers, room_for

PARTIAL = ".partial.png"  # ends the name of a picture that is not yet written


def write_picture(path: Path, pixels_HW: np.ndarray) -> None:
    """Write uint8 pixels (H, W) or (H, W, channels) as a PNG, atomically. Raises OSError for a full disk."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{PARTIAL}")
    try:
        with room_for(path):
            write_pixels(temporary, pixels_HW)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove what calls that were killed left of pictures in `folder`, if it is there."""
    for partial in sorted(folder.glob(f".*{PARTIAL}")):
        stem = partial.name[1:].removesuffix(PARTIAL).rpartition(".")[0]
        for leftover in leftovers(folder / f"{stem}.png"):
            leftover.unlink(missing_ok=True)
