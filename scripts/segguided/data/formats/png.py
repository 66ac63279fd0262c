"""Reads and writes 8-bit PNG slices in the layout of the paper authors' code.

IMAGES/{train,val,test}/NAME.png and MASKS/{train,val,test}/NAME.png, where NAME is <patient>_slice_<number>
or, for single slices, the patient.
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
from segguided.data.formats.png_header import PngHeader, find_damage, read_header
from segguided.data.formats.volume import Volume

FOLDERS = {"train": "train", "val": "held-out", "test": "test"}  # the layout's folders, and our splits
OTHER_NAMES = {"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"}
NAME = re.compile(r"(?P<patient>.+)_slice_(?P<number>\d+)")
PNG = (".png",)
# Endings of images that are not read. Such files are refused: if skipped, slices would be missing silently.
IMAGES = (".jpg", ".jpeg", ".jp2", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".apng", ".npy", ".dcm", ".nii")
# What Pillow raises for files that are damaged, truncated, or no pictures.
DAMAGED = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)
PLAIN = ((8, 0), (8, 2))  # bits and colour type of the files that are read: greyscale and RGB
# Of images of several channels: the colour type, and its name.
COLOURS = {2: (4, "greyscale with alpha"), 3: (2, "RGB"), 4: (6, "RGBA")}

LOG = logging.getLogger("segguided")


@dataclass(frozen=True, order=True)
class SliceFile:
    """One slice's place in the layout; sorted by patient, number and name."""

    patient: str
    number: int
    name: str  # without .png, in Unicode's composed form: the mask id
    folder: str  # a key of FOLDERS
    # As on the disk: perhaps with .PNG, or in another Unicode form.
    path: Path = field(default=Path(), compare=False)


def slice_file(folder: str, name: str, path: Path = Path()) -> SliceFile:
    """The slice called `name`; a name that does not end in _slice_<number> is a patient of its own."""
    parts = NAME.fullmatch(name)
    patient, number = (parts["patient"], int(parts["number"])) if parts else (name, 0)
    return SliceFile(patient, number, name, folder, path)


def list_slices(root: Path, patient: str = "") -> list[SliceFile]:
    """The PNG files of one patient, or of all, in the layout's folders below `root`, sorted.

    Entries that are passed over are logged. Raises ValueError if there is no slice, if a patient's slices are
    in two folders or share a number, and for entries that may be slices but cannot be read.
    """
    return _slices(root, _list_folders(root), patient)


def _slices(root: Path, listings: Mapping[str, listing.Listing], patient: str) -> list[SliceFile]:
    slices = [
        slice_file(folder, name, path)
        for folder, entries in listings.items()
        for name, path in listing.by_stem(entries.files, PNG).items()
    ]
    if patient:
        for file in slices:
            if file.patient != patient:
                _check_not_misnamed(file, patient)
        slices = [file for file in slices if file.patient == patient]
    if not slices:
        wanted = f"PNG files of patient {patient}" if patient else "PNG files"
        raise ValueError(
            f"{root}: expected {wanted} in its folders {', '.join(FOLDERS)}, found none; correct the folder, "
            "or the patient table"
        )
    slices.sort()
    first_of_patient: dict[str, SliceFile] = {}
    first_of_number: dict[tuple[str, int], SliceFile] = {}
    for file in slices:
        _check_folder(root, file, first_of_patient.setdefault(file.patient, file))
        _check_number(file, first_of_number.setdefault((file.patient, file.number), file))
    return slices


def _check_not_misnamed(file: SliceFile, patient: str) -> None:
    """Raise ValueError if a name begins like a slice of the patient but is no slice's name."""
    if file.patient == file.name and file.name.lower().startswith(f"{patient}_slice_".lower()):
        raise ValueError(
            f"{file.path}: begins like a slice of patient {patient}, but is not called "
            f"{patient}_slice_<number>.png; rename or remove it"
        )


def _check_folder(root: Path, file: SliceFile, first: SliceFile) -> None:
    if file.folder != first.folder:
        raise ValueError(
            f"{root}: patient {file.patient} has slices in {first.folder} and in {file.folder} "
            f"({file.name}.png); a patient belongs to one split only: move the slices into one folder"
        )


def _check_number(file: SliceFile, first: SliceFile) -> None:
    if file is not first:
        raise ValueError(
            f"{file.path}: has the number of {first.path.name}; a patient's slices need different numbers: "
            "rename or remove one"
        )


def _list_folders(root: Path) -> dict[str, listing.Listing]:
    listings = {}
    for folder in FOLDERS:
        if (root / folder).is_dir():
            entries = listing.list_folder(root / folder, PNG)
            _refuse_images(entries)
            for note in entries.notes():
                LOG.info("%s", note)
            listings[folder] = entries
    _refuse_other_folders(root)
    return listings


def _refuse_images(entries: listing.Listing) -> None:
    """Raise ValueError for what may hold slices: folders, other images, PNG files with another ending."""
    for path in entries.folders.values():
        raise ValueError(f"{path}: a folder among the slices; move its PNG files up, or move it elsewhere")
    for name in entries.passed.get(listing.OTHER, []):
        if name.lower().endswith((*IMAGES, ".gz")) or ".png" in name.lower():
            raise ValueError(
                f"{entries.root / name}: expected files whose names end in .png; save it as 8-bit "
                "greyscale PNG, or move it elsewhere"
            )


def _refuse_other_folders(root: Path) -> None:
    """Raise ValueError for a folder with another name of a split, and for slices outside the folders."""
    entries = listing.list_folder(root, PNG) if root.is_dir() else listing.Listing(root)
    for name, path in entries.files.items():
        if NAME.fullmatch(listing.stem_of(name, PNG)):
            raise ValueError(f"{path}: a slice in none of the folders {', '.join(FOLDERS)}; move it into one")
    for name, path in entries.folders.items():
        meant = OTHER_NAMES.get(name.lower(), name.lower())
        if name not in FOLDERS and meant in FOLDERS:
            raise ValueError(f"{path}: expected the folders {', '.join(FOLDERS)}; rename it {meant}")


def check_pairs(images: Sequence[SliceFile], masks: Sequence[SliceFile], folder: Path) -> None:
    """Raise ValueError unless each image has a mask of its name below `folder`, and each mask an image."""
    unmasked = sorted(set(images) - set(masks))
    if unmasked:
        raise ValueError(
            f"{len(unmasked)} images have no mask of the same name in {folder}, the first is "
            f"{unmasked[0].path}; add the masks or remove the images"
        )
    imageless = sorted(set(masks) - set(images))
    if imageless:
        raise ValueError(
            f"{len(imageless)} masks in {folder} have no image of the same name, the first is "
            f"{imageless[0].path}; add the images or remove the masks"
        )


def read_patient(patient: str, images: Path, masks: Path) -> tuple[Volume, Volume]:
    """Images and label maps of one patient's slices, in the order of their numbers; assumes 1 mm pixels.

    Raises ValueError for a patient without slices or in two folders, a slice without mask or image, files
    that are no 8-bit greyscale PNG, slices of different sizes, and more memory than a patient may take.
    """
    (image,), mask = read_channels(patient, images, masks, 1)
    return image, mask


def read_channels(patient: str, images: Path, masks: Path, channels: int) -> tuple[list[Volume], Volume]:
    """The same of images of so many channels, one Volume each.

    Raises ValueError as `read_patient` does, and for images with another number of channels.
    """
    image_folders = _list_folders(images)
    mask_folders = _list_folders(masks)
    image_files = _slices(images, image_folders, patient)
    mask_files = _slices(masks, mask_folders, patient)
    check_pairs(image_files, mask_files, masks)
    numbers = {file.name: file.number for file in image_files}
    affine = np.eye(4)
    folder = image_files[0].folder
    image_zyx = _stacked([file.path for file in image_files], channels)
    mask_zyx = _stacked([file.path for file in mask_files])
    provenance = _provenance(images, image_folders[folder], patient)
    arrays = [image_zyx] if channels == 1 else list(np.moveaxis(image_zyx, -1, 0))
    mask = Volume(mask_zyx, affine, _provenance(masks, mask_folders[folder], patient), numbers)
    return [Volume(array_zyx, affine, provenance, numbers) for array_zyx in arrays], mask


def _provenance(root: Path, entries: listing.Listing, patient: str) -> dict[str, Any]:
    """The folder, and how many entries with the patient's name were passed over in it."""
    provenance: dict[str, Any] = {"format": "png", "folder": f"{root.name}/{entries.root.name}"}
    passed = (name for names in entries.passed.values() for name in names)
    count = sum(_patient_named_in(name) == patient for name in passed)
    return provenance | ({"passed_over": count} if count else {})


def _patient_named_in(name: str) -> str:
    """The patient in the name of a file that was passed over."""
    stem = listing.stem_of(name.removeprefix("._").removeprefix("."), PNG)
    return slice_file("", stem).patient


def _stacked(paths: Sequence[Path], channels: int = 1) -> np.ndarray:
    headers = [read_header(path) for path in paths]
    first = (headers[0].height, headers[0].width)
    for path, header in zip(paths, headers, strict=True):
        size = (header.height, header.width)
        if size != first:
            raise ValueError(
                f"{path} has {size} pixels (height, width), but {paths[0].name} {first}; "
                "the slices of a patient must have one size"
            )
    pixels = channels * len(paths) * headers[0].height * headers[0].width
    refuse_huge(f"{paths[0].parent}, {len(paths)} slices", pixels, bytes_per_voxel=1)
    return np.stack([read_pixels(path, channels) for path in paths])


def read_pixels(path: Path, channels: int) -> np.ndarray:
    """The pixels of an image, uint8: (H, W) as `read_grey` reads them, or (H, W, channels) of two to four.

    Raises ValueError for a PNG of other channels than `COLOURS` says, and for damaged files.
    """
    if channels == 1:
        return read_grey(path)
    colour, kind = COLOURS[channels]
    header = read_header(path)
    if (header.bits, header.colour) != (8, colour):
        expected = f"expected 8-bit {kind} of {channels} channels, got {header.kind}"
        raise ValueError(f"{path}: {expected}; save it so, or correct the list of `channels`")
    picture, pixels = _decoded(path, header)
    if getattr(picture, "is_animated", False) or "transparency" in picture.info:
        raise ValueError(f"{path}: has a transparent value or several pictures; save it as plain {kind}")
    return pixels


def read_grey(path: Path) -> np.ndarray:
    """The pixels (H, W), uint8, of an 8-bit greyscale PNG, or of a colour PNG whose channels are equal.

    Values are taken as stored: a gamma is for screens only. Raises ValueError for every other kind of PNG,
    and for damaged files: their checksums are compared.
    """
    header = read_header(path)
    if (header.bits, header.colour) not in PLAIN:
        raise ValueError(_not_grey(path, header.kind))
    return _grey(path, header, *_decoded(path, header))


def _decoded(path: Path, header: PngHeader) -> tuple[Image.Image, np.ndarray]:
    """The picture, and its pixels as stored."""
    content = path.read_bytes()
    try:
        damage = find_damage(content, header)
        if damage:
            raise ValueError(damage)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            pixels = np.asarray(picture)
    except DAMAGED as error:
        raise ValueError(
            f"{path}: expected a whole PNG file, got a damaged or another file ({error}); get it again"
        ) from error
    return picture, pixels


def _grey(path: Path, header: PngHeader, picture: Image.Image, pixels: np.ndarray) -> np.ndarray:
    if getattr(picture, "is_animated", False):
        raise ValueError(_not_grey(path, "several pictures in one file"))
    if "transparency" in picture.info:
        raise ValueError(_not_grey(path, f"{header.kind} with a transparent value"))
    if picture.mode == "L":
        return pixels
    if not (pixels == pixels[..., :1]).all():
        raise ValueError(_not_grey(path, f"{header.kind} with unequal channels"))
    return np.ascontiguousarray(pixels[..., 0])


def _not_grey(path: Path, kind: str) -> str:
    return f"{path}: expected 8-bit greyscale, got {kind}; save it as 8-bit greyscale"


def write_grey(path: Path, pixels_HW: np.ndarray) -> None:
    """Write uint8 pixels (H, W) as an 8-bit greyscale PNG; not atomic, so callers end with a receipt."""
    write_pixels(path, pixels_HW)


def write_pixels(path: Path, pixels_HW: np.ndarray) -> None:
    """Write uint8 pixels (H, W), or (H, W, channels) of two to four, as a PNG that `read_pixels` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels_HW).save(path, format="PNG")
