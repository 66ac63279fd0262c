"""The paired ("pre-registered") dataset, laid out as the paper's authors released theirs.

Each generated image shares the kept classes of its mask with a real image; the other classes are its own.
Shape suffixes: S slices, H and W pixels.
"""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from segguided.data.file_names import check_names
from segguided.data.slices import SliceSet
from segguided.files import atomic_path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: equal content, equal bytes
ABOUT = """Paired images: each image in synthetic_data was generated from the mask of the same name in
segmentations, of which only these classes were kept: {kept}. Those lie where they lie in the image
of the same name in real_data; everything else is the model's own. Mask values: 0 background, {values}.
"""


def write_pairs(
    path: Path, slices: SliceSet, images_SHW: np.ndarray, classes: Sequence[str], kept: Sequence[str]
) -> None:
    """Write synthetic_data/condon_NAME.png, real_data/NAME.png and segmentations/NAME.png into one zip.

    Raises ValueError for a mask id that is no name of a file.
    """
    check_names(slices.names, str(path))
    about = ABOUT.format(
        kept=", ".join(kept), values=", ".join(f"{k} {name}" for k, name in enumerate(classes, 1))
    )
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _add(archive, "README.txt", about.encode())
        for name, image_HW in _pictures(slices, images_SHW):
            _add(archive, name, _png(image_HW))


def _pictures(slices: SliceSet, images_SHW: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    rows = ((stack, i) for stack in slices.stacks for i in range(len(stack.images_SHW)))
    for name, generated_HW, (stack, i) in zip(slices.names, images_SHW, rows, strict=True):
        yield f"synthetic_data/condon_{name}.png", generated_HW
        yield f"real_data/{name}.png", stack.images_SHW[i]
        yield f"segmentations/{name}.png", stack.masks_SHW[i]


def _png(image_HW: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image_HW)).save(buffer, "png")
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)  # stored: a PNG does not shrink
