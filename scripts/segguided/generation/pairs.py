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

EARLIEST_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold: equal content, equal bytes
ABOUT = """Paired images: each image in synthetic_data was generated from the mask of the same name in
segmentations, of which only these classes were kept: {kept}. Those lie where they lie in the image
of the same name in real_data; everything else is the model's own. The mask that an image of
synthetic_data follows is in synthetic_segmentations: the kept classes, and those that the model's mask
completer added, if it has one. Mask values: 0 background, {values}.
"""


def write_pairs(
    path: Path,
    slices: SliceSet,
    images_SHW: np.ndarray,
    seen_SHW: np.ndarray,
    classes: Sequence[str],
    kept: Sequence[str],
) -> None:
    """Write synthetic_data/condon_NAME.png, real_data/NAME.png and segmentations/NAME.png into one zip.

    And synthetic_segmentations/condon_NAME.png: `seen_SHW`, the masks that the generated images follow.
    Raises ValueError for a mask id that is no name of a file.
    """
    check_names(slices.names, str(path))
    values = ", ".join(f"{k} {name}" for k, name in enumerate(classes, 1))
    about = ABOUT.format(kept=", ".join(kept), values=values)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _add(archive, "README.txt", about.encode())
        for name, image_HW in _pictures(slices, images_SHW, seen_SHW):
            _add(archive, name, _png(image_HW))


def _pictures(
    slices: SliceSet, images_SHW: np.ndarray, seen_SHW: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Each picture's name in the zip and its pixels, a slice at a time: no set is in memory as a whole."""
    for i, (name, generated_HW, seen_HW) in enumerate(zip(slices.names, images_SHW, seen_SHW, strict=True)):
        real_BHW, mask_BHW = slices.batch(np.array([i]))
        yield f"synthetic_data/condon_{name}.png", generated_HW
        yield f"synthetic_segmentations/condon_{name}.png", seen_HW
        yield f"real_data/{name}.png", real_BHW[0]
        yield f"segmentations/{name}.png", mask_BHW[0]


def _png(image_HW: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image_HW)).save(buffer, "png")
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EARLIEST_TIME)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)  # not compressed: a PNG does not shrink
