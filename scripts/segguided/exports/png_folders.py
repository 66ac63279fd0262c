"""The layout of the paper authors' code, written: images/{train,val,test}/*.png, and masks/all/ alike."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

import numpy as np

from segguided.data.file_names import check_names
from segguided.data.formats.png import FOLDERS, write_pixels
from segguided.data.slices import SliceSet
from segguided.files import sha256_of, write_text

IMAGES = PurePath("images")
MASKS = PurePath("masks", "all")
MARK = ".export"  # this file marks the folders that an export wrote, and may replace
COLUMNS = ("name", "split", "image_sha256", "mask_sha256")


def write_layout(sets: Mapping[str, SliceSet], receipt: Path) -> None:
    """Write each split's images and masks beside `receipt`, which lists them and is written last.

    The files of an earlier export there are removed. Raises ValueError for a split that the layout does not
    have, for a mask id that cannot be a file name, and where the folder holds images or masks that no export
    wrote.
    """
    unknown = sorted(set(sets) - set(FOLDERS.values()))
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)} is no split of the layout; expected {', '.join(FOLDERS.values())}"
        )
    root = receipt.parent
    for slices in sets.values():
        check_names(slices.names, str(root))
    _remove_earlier_export(root)
    rows: list[tuple[str, ...]] = []
    for folder, split in FOLDERS.items():
        if split in sets:
            rows += _write(sets[split], root, folder)
    write_text(receipt, "".join("\t".join(row) + "\n" for row in (COLUMNS, *rows)))


def _remove_earlier_export(root: Path) -> None:
    """Remove the files of an export before, and leave the mark that lets the next one do so."""
    folders = [root / IMAGES.parts[0], root / MASKS.parts[0]]
    present = [folder for folder in folders if folder.exists()]
    if present and not (root / MARK).is_file():
        raise ValueError(
            f"{present[0]} was not written by an export, which would replace it; move it, or name another "
            "folder"
        )
    for folder in present:
        shutil.rmtree(folder)
    write_text(root / MARK, "The images and masks beside this file are replaced by the next export.\n")


def _write(slices: SliceSet, root: Path, folder: str) -> Iterator[tuple[str, ...]]:
    """Write one split's files, a slice at a time; yield their rows of the receipt."""
    for k, name in enumerate(slices.names):
        paths = [root / kind / folder / f"{name}.png" for kind in (IMAGES, MASKS)]
        for path, pixels_BHW in zip(paths, slices.batch(np.array([k])), strict=True):
            write_pixels(path, pixels_BHW[0])
        yield name, FOLDERS[folder], *map(sha256_of, paths)
