"""8-bit PNG slices in the layout of the paper authors' code, read and written.

IMAGES/{train,val,test}/NAME.png and MASKS/{train,val,test}/NAME.png, where NAME is <patient>_slice_<number>
or, for slices on their own, the patient.
"""

import io
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from segguided import listing
from segguided.data.formats.bounds import refuse_huge
from segguided.data.formats.png_header import Header, find_damage, read_header
from segguided.data.formats.volume import Volume

FOLDERS = {"train": "train", "val": "held-out", "test": "test"}  # of the layout, and our splits
OTHER_NAMES = {"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"}
NAME = re.compile(r"(?P<patient>.+)_slice_(?P<number>\d+)")
PNG = (".png",)
# Files that hold images but are not read: passed over, slices would be lacking without a word.
IMAGES = (".jpg", ".jpeg", ".jp2", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".apng", ".npy", ".dcm", ".nii")
# What Pillow raises for files that are damaged, truncated, or no pictures.
DAMAGED = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)
PLAIN = {(8, 0): "L", (8, 2): "RGB"}  # bits and colour type that are read, and Pillow's name for them

LOG = logging.getLogger("segguided")


@dataclass(frozen=True, order=True)
class SliceFile:
    """One slice's place in the layout; sorts by patient, number and name."""

    patient: str
    number: int
    name: str  # without .png, in Unicode's composed form: the mask id
    folder: str  # a key of FOLDERS
    path: Path = field(default=Path(), compare=False)  # as the disk has it: .PNG, or another Unicode form


def slice_file(folder: str, name: str, path: Path = Path()) -> SliceFile:
    """The slice called `name`; without _slice_<number> at its end it is a patient of its own."""
    parts = NAME.fullmatch(name)
    patient, number = (parts["patient"], int(parts["number"])) if parts else (name, 0)
    return SliceFile(patient, number, name, folder, path)


def list_slices(root: Path, patient: str = "") -> list[SliceFile]:
    """The PNG files of one patient, or of all, in the layout's folders below `root`, sorted.

    What is passed over is logged. Raises ValueError where there is none, where a patient's slices lie in two
    folders or share a number, and for entries that may be slices but cannot be read as such.
    """
    return _slices(root, _list_folders(root), patient)


def _slices(root: Path, listings: Mapping[str, listing.Listing], patient: str) -> list[SliceFile]:
    all_files = (
        slice_file(folder, name, path)
        for folder, found in listings.items()
        for name, path in listing.by_stem(found.files, PNG).items()
    )
    found = sorted(one for one in all_files if patient in ("", one.patient) or _resembles(one, patient))
    if not found:
        wanted = f"PNG files of patient {patient}" if patient else "PNG files"
        raise ValueError(
            f"{root}: expected {wanted} in its folders {', '.join(FOLDERS)}, found none; correct the folder, "
            "or the patient table"
        )
    first: dict[str, SliceFile] = {}
    numbered: dict[tuple[str, int], SliceFile] = {}
    for one in found:
        _check_folder(root, one, first.setdefault(one.patient, one))
        _check_number(one, numbered.setdefault((one.patient, one.number), one))
    return found


def _resembles(one: SliceFile, patient: str) -> bool:
    """False; but raises ValueError for a name that begins like a slice of the patient's and is none."""
    if one.patient == one.name and one.name.lower().startswith(f"{patient}_slice_".lower()):
        raise ValueError(
            f"{one.path}: begins like a slice of patient {patient}, but no number ends its name; call it "
            f"{patient}_slice_<number>.png, or remove it"
        )
    return False


def _check_folder(root: Path, one: SliceFile, first: SliceFile) -> None:
    if one.folder != first.folder:
        raise ValueError(
            f"{root}: patient {one.patient} has slices in {first.folder} and in {one.folder} "
            f"({one.name}.png); a patient belongs to one split only: move the slices into one folder"
        )


def _check_number(one: SliceFile, first: SliceFile) -> None:
    if one is not first:
        raise ValueError(
            f"{one.path}: has the number of {first.path.name}; a patient's slices need numbers of their own: "
            "rename or remove one"
        )


def _list_folders(root: Path) -> dict[str, listing.Listing]:
    listings = {}
    for folder in FOLDERS:
        if (root / folder).is_dir():
            found = listing.list_folder(root / folder, PNG)
            _refuse_images(found)
            for note in found.notes():
                LOG.info("%s", note)
            listings[folder] = found
    _refuse_other_folders(root)
    return listings


def _refuse_images(found: listing.Listing) -> None:
    """Raise ValueError for what may hold slices: folders, other images, PNG files by another name."""
    for path in found.folders.values():
        raise ValueError(f"{path}: a folder among the slices; move its PNG files up, or move it elsewhere")
    for name in found.passed.get(listing.OTHER, []):
        if name.lower().endswith((*IMAGES, ".gz")) or ".png" in name.lower():
            raise ValueError(
                f"{found.root / name}: expected files whose names end in .png; save it as 8-bit "
                "greyscale PNG, or move it elsewhere"
            )


def _refuse_other_folders(root: Path) -> None:
    """Raise ValueError for a folder that stands for a split under another name, and for slices in none."""
    found = listing.list_folder(root, PNG) if root.is_dir() else listing.Listing(root)
    for name, path in found.files.items():
        if NAME.fullmatch(listing.stem_of(name, PNG)):
            raise ValueError(f"{path}: a slice in none of the folders {', '.join(FOLDERS)}; move it into one")
    for name, path in found.folders.items():
        meant = OTHER_NAMES.get(name.lower(), name.lower())
        if name not in FOLDERS and meant in FOLDERS:
            raise ValueError(f"{path}: expected the folders {', '.join(FOLDERS)}; rename it {meant}")


def check_pairs(images: Sequence[SliceFile], masks: Sequence[SliceFile], folder: Path) -> None:
    """Raise ValueError unless each image has a mask of its name below `folder`, and each mask its image."""
    unmasked = sorted(set(images) - set(masks))
    if unmasked:
        raise ValueError(
            f"{len(unmasked)} images have no mask of the same name in {folder}, the first is "
            f"{unmasked[0].path}; add the masks or remove the images"
        )
    unseen = sorted(set(masks) - set(images))
    if unseen:
        raise ValueError(
            f"{len(unseen)} masks in {folder} have no image of the same name, the first is "
            f"{unseen[0].path}; add the images or remove the masks"
        )


def read_patient(patient: str, images: Path, masks: Path) -> tuple[Volume, Volume]:
    """Images and label maps of one patient's slices, in the order of their numbers, 1 mm pixels assumed.

    Raises ValueError for a patient without slices or in two folders, a slice without mask or image, files
    that are no 8-bit greyscale PNG, slices of different sizes, and more than a patient may take in memory.
    """
    listings = [_list_folders(root) for root in (images, masks)]
    files = _slices(images, listings[0], patient)
    mask_files = _slices(masks, listings[1], patient)
    check_pairs(files, mask_files, masks)
    numbers = {one.name: one.number for one in files}
    affine = np.eye(4)
    folder = files[0].folder
    image_zyx = _stacked([one.path for one in files])
    mask_zyx = _stacked([one.path for one in mask_files])
    image = Volume(image_zyx, affine, _source(images, listings[0][folder], patient), numbers)
    mask = Volume(mask_zyx, affine, _source(masks, listings[1][folder], patient), numbers)
    return image, mask


def _source(root: Path, found: listing.Listing, patient: str) -> dict[str, Any]:
    """For the provenance: the folder, and how many entries with the patient's name were passed over in it."""
    source: dict[str, Any] = {"format": "png", "folder": f"{root.name}/{found.root.name}"}
    passed = (name for names in found.passed.values() for name in names)
    count = sum(_owner(name) == patient for name in passed)
    return source | ({"passed_over": count} if count else {})


def _owner(name: str) -> str:
    """The patient by whose name a file is called that was passed over."""
    stem = listing.stem_of(name.removeprefix("._").removeprefix("."), PNG)
    return slice_file("", stem).patient


def _stacked(paths: Sequence[Path]) -> np.ndarray:
    headers = [read_header(path) for path in paths]
    for path, header in zip(paths, headers, strict=True):
        size, first = (header.height, header.width), (headers[0].height, headers[0].width)
        if size != first:
            raise ValueError(
                f"{path} has {size} pixels (height, width), but {paths[0].name} {first}; "
                "the slices of a patient must have one size"
            )
    refuse_huge(
        f"{paths[0].parent}, {len(paths)} slices", len(paths) * headers[0].height * headers[0].width, 1
    )
    return np.stack([read_grey(path) for path in paths])


def read_grey(path: Path) -> np.ndarray:
    """The pixels (H, W), uint8, of an 8-bit greyscale PNG, or of a colour one whose channels are equal.

    Values are taken as stored: a gamma is for screens. Raises ValueError for every other kind of PNG file and
    for a damaged one, whose checksums are compared.
    """
    header = read_header(path)
    if (header.bits, header.colour) not in PLAIN:
        raise ValueError(_unfit(path, header.kind))
    content = path.read_bytes()
    try:
        damage = find_damage(content, header)
        if damage:
            raise ValueError(damage)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            pixels = np.asarray(picture)
    except DAMAGED as error:
        raise ValueError(
            f"{path}: expected a whole PNG file, got a damaged or another one ({error}); get it again"
        ) from error
    return _grey(path, header, picture, pixels)


def _grey(path: Path, header: Header, picture: Image.Image, pixels: np.ndarray) -> np.ndarray:
    if getattr(picture, "is_animated", False):
        raise ValueError(_unfit(path, "several pictures in one file"))
    if "transparency" in picture.info:
        raise ValueError(_unfit(path, f"{header.kind} with a transparent value"))
    if picture.mode == "L":
        return pixels
    if not (pixels == pixels[..., :1]).all():
        raise ValueError(_unfit(path, f"{header.kind} with unequal channels"))
    return np.ascontiguousarray(pixels[..., 0])


def _unfit(path: Path, kind: str) -> str:
    return f"{path}: expected 8-bit greyscale, got {kind}; save it as 8-bit greyscale"


def write_grey(path: Path, pixels_HW: np.ndarray) -> None:
    """Write uint8 pixels as an 8-bit greyscale PNG: in place, for whoever writes many ends with a receipt."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels_HW).save(path, format="PNG")
