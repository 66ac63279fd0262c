"""8-bit PNG slices in the layout of the paper authors' code, read and written.

IMAGES/{train,val,test}/NAME.png and MASKS/{train,val,test}/NAME.png, where NAME is <patient>_slice_<number>
or, for slices on their own, the patient.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from segguided.data.volume import Volume

FOLDERS = {"train": "train", "val": "held-out", "test": "test"}  # of the layout, and our splits
NAME = re.compile(r"(?P<patient>.+)_slice_(?P<number>\d+)")
# What Pillow raises for files that are damaged, truncated, or no pictures.
DAMAGED = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True, order=True)
class SliceFile:
    """One slice's place in the layout; sorts by patient, number and name."""

    patient: str
    number: int
    name: str  # without .png: the mask id
    folder: str  # a key of FOLDERS

    def below(self, root: Path) -> Path:
        """Its file in a folder of images or of masks."""
        return root / self.folder / f"{self.name}.png"


def slice_file(folder: str, name: str) -> SliceFile:
    """The slice called `name`; without _slice_<number> at its end it is a patient of its own."""
    parts = NAME.fullmatch(name)
    patient, number = (parts["patient"], int(parts["number"])) if parts else (name, 0)
    return SliceFile(patient, number, name, folder)


def list_slices(root: Path, patient: str = "") -> list[SliceFile]:
    """The PNG files of one patient, or of all, in the layout's folders below `root`, sorted.

    Raises ValueError where there is none, and where a patient's slices lie in two folders.
    """
    found = sorted(one for one in _scan(root, patient) if patient in ("", one.patient))
    if not found:
        wanted = f"PNG files of patient {patient}" if patient else "PNG files"
        raise ValueError(
            f"{root}: expected {wanted} in its folders {', '.join(FOLDERS)}, found none; correct the folder, "
            "or the patient table"
        )
    folder_of: dict[str, str] = {}
    for one in found:
        if folder_of.setdefault(one.patient, one.folder) != one.folder:
            raise ValueError(
                f"{root}: patient {one.patient} has slices in {folder_of[one.patient]} and in {one.folder} "
                f"({one.name}.png); a patient belongs to one split only: move the slices into one folder"
            )
    return found


def _scan(root: Path, beginning: str) -> Iterator[SliceFile]:
    for folder in FOLDERS:
        if (root / folder).is_dir():
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    if entry.name.startswith(beginning) and entry.name.endswith(".png"):
                        yield slice_file(folder, entry.name.removesuffix(".png"))


def read_patient(patient: str, images: Path, masks: Path) -> tuple[Volume, Volume]:
    """Images and label maps of one patient's slices, in the order of their numbers, 1 mm pixels assumed.

    Raises ValueError for a patient without slices or in two folders, a slice without mask, files that are no
    8-bit greyscale PNG, and slices of different sizes.
    """
    files = list_slices(images, patient)
    numbers = {one.name: one.number for one in files}
    affine = np.eye(4)
    arrays = [_stacked([one.below(root) for one in files]) for root in (images, masks)]
    sources = [{"format": "png", "folder": f"{root.name}/{files[0].folder}"} for root in (images, masks)]
    image, mask = (
        Volume(array_zyx, affine, source, numbers) for array_zyx, source in zip(arrays, sources, strict=True)
    )
    return image, mask


def _stacked(paths: Sequence[Path]) -> np.ndarray:
    slices = [read_grey(path) for path in paths]
    for path, slice_HW in zip(paths, slices, strict=True):
        if slice_HW.shape != slices[0].shape:
            raise ValueError(
                f"{path} has {slice_HW.shape} pixels (height, width), but {paths[0].name} {slices[0].shape}; "
                "the slices of a patient must have one size"
            )
    return np.stack(slices)


def read_grey(path: Path) -> np.ndarray:
    """The pixels (H, W), uint8, of an 8-bit greyscale PNG, or of a colour one whose channels are equal."""
    if not path.is_file():
        raise ValueError(
            f"{path}: expected a PNG file, but there is none; every image needs a mask of the same name"
        )
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            mode, pixels = picture.mode, np.asarray(picture)
    except DAMAGED as error:
        raise ValueError(
            f"{path}: expected a whole PNG file, got a damaged or another one ({error}); get it again"
        ) from error
    if mode == "RGB" and (pixels == pixels[..., :1]).all():
        return pixels[..., 0]
    if mode != "L":
        raise ValueError(
            f"{path}: expected 8-bit greyscale, got the mode {mode}"
            f"{' with unequal channels' if mode == 'RGB' else ''}; save it as 8-bit greyscale"
        )
    return pixels


def write_grey(path: Path, pixels_HW: np.ndarray) -> None:
    """Write uint8 pixels as an 8-bit greyscale PNG: in place, for whoever writes many ends with a receipt."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels_HW).save(path, format="PNG")
