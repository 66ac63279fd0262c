"""Masks from elsewhere: PNG label maps, a folder of them, or label volumes that are cut into slices.

Shape letters: N masks, H height, W width; z, y, x: a volume's axes (LPS).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segguided import listing
from segguided.app.label_volumes import ENDINGS, expected, is_label_volume, read_label_volume
from segguided.app.run_folder import RunFacts
from segguided.data.file_names import check_names
from segguided.data.formats.png import PNG, read_grey
from segguided.data.formats.volume import Volume
from segguided.data.slicing import square_padding
from segguided.shown import some

SHOWN = 3  # names in a sentence about many masks
MASKS = ".png, .nii, .nii.gz, .seg.nrrd or DICOM-SEG"


@dataclass(frozen=True)
class Place:
    """Where a mask comes from: a file and, in a volume, the slice; and its size before it was resized."""

    path: Path
    z: int | None
    height: int
    width: int


@dataclass(frozen=True)
class UserMasks:
    """Masks (N, H, W) of a model's size and classes, with their ids; `notes`: what was changed or left."""

    names: list[str]
    masks_NHW: np.ndarray
    places: list[Place]
    volumes: dict[Path, Volume]
    notes: list[str]


def read_masks(path: Path, facts: RunFacts, may_lack: Collection[str] = ()) -> UserMasks:
    """The masks in a PNG file, a label volume (NIfTI, .seg.nrrd, DICOM-SEG), or a folder of such files.

    Pixels of a PNG are the classes' values (`value` of run.json), voxels of a NIfTI volume their labels
    (`label`), segments have their names; a file of segments has one for each class that `may_lack` does not
    name. Of a volume the slices that hold a class are taken. Masks of another size are padded to a square and
    resized, nearest neighbour. Raises ValueError for files that are no masks, values and segments that are no
    class, and two files whose masks would have one id.
    """
    files, not_used = _files_of(path)
    for file in files:
        if not file.name.isprintable():
            raise ValueError(f"{file}: the name holds a control character; rename the file")
    volumes = [file for file in files if is_label_volume(file)]
    parts = [
        _read_volume(file, facts, may_lack) if file in volumes else _read_png(file, facts) for file in files
    ]
    names = [name for part in parts for name in part.names]
    _check_different(path, names)
    _check_different(path, [listing.stem_of(file.name, ENDINGS) for file in volumes])
    check_names(names, str(path))
    places = [place for part in parts for place in part.places]
    return UserMasks(
        names,
        np.concatenate([part.masks_NHW for part in parts]),
        places,
        {file: volume for part in parts for file, volume in part.volumes.items()},
        [*not_used, *_resized(names, places, facts.image_size)],
    )


def named(names: Sequence[str]) -> str:
    """Which masks a sentence is about: the one, or how many and the first of them."""
    return names[0] if len(names) == 1 else f"{len(names)} masks ({some(names, SHOWN)})"


def _files_of(path: Path) -> tuple[list[Path], list[str]]:
    """The files, and a sentence on what else the folder holds."""
    if not path.exists():
        raise ValueError(f"{path}: expected masks, a file or a folder, but there is none; correct the name")
    if path.is_file():
        if not (path.name.lower().endswith(PNG) or is_label_volume(path)):
            raise ValueError(f"{path}: expected a mask as {MASKS}; convert it")
        return [path], []
    found = listing.list_folder(path, (*PNG, *ENDINGS))
    if not found.files:
        raise ValueError(f"{path}: expected masks ({MASKS}) in this folder, found none; name another")
    others = sorted([*found.folders, *found.passed.get(listing.OTHER, ())])
    note = f"{path}: {some(others)} not used, for masks are {MASKS} in the folder itself"
    return [found.files[name] for name in sorted(found.files)], [note] if others else []


def _check_different(path: Path, names: Sequence[str]) -> None:
    repeated = (
        sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    )
    if repeated:
        raise ValueError(f"{path}: two masks would be called {repeated[0]}; rename one of the files")


def _read_png(path: Path, facts: RunFacts) -> UserMasks:
    mask_HW = read_grey(path)
    known = {known.value for known in facts.classes} | {0}
    unknown = sorted(set(np.unique(mask_HW).tolist()) - known)
    if unknown:
        raise ValueError(f"{path}: its pixels have the values {some(unknown)}, {expected(facts, 'value')}")
    height, width = mask_HW.shape
    square_HW = to_square(mask_HW, 1.0, 1.0, facts.image_size)
    name = listing.stem_of(path.name, PNG)
    return UserMasks([name], square_HW[np.newaxis], [Place(path, None, height, width)], {}, [])


def _read_volume(path: Path, facts: RunFacts, may_lack: Collection[str]) -> UserMasks:
    volume = read_label_volume(path, facts, may_lack)
    _, height, width = volume.array_zyx.shape
    _, mm_y, mm_x = volume.spacing_zyx_mm
    stem = listing.stem_of(path.name, ENDINGS)
    names: list[str] = []
    masks: list[np.ndarray] = []
    places: list[Place] = []
    for z, mask_yx in enumerate(volume.array_zyx):
        if not mask_yx.any():
            continue
        names.append(f"{stem}_slice_{z}")
        masks.append(to_square(mask_yx, mm_y, mm_x, facts.image_size))
        places.append(Place(path, z, height, width))
    if not masks:
        raise ValueError(f"{path} is empty: no voxel is labelled; name another volume")
    return UserMasks(names, np.stack(masks), places, {path: volume}, [])


def to_square(mask_HW: np.ndarray, mm_y: float, mm_x: float, size: int) -> np.ndarray:
    """The mask in a square of `size` pixels a side that covers its longer side in mm, nearest neighbour."""
    padded_HW = np.pad(mask_HW, square_padding(mask_HW.shape[0], mask_HW.shape[1], mm_y, mm_x))
    if padded_HW.shape == (size, size):
        return padded_HW
    return np.asarray(Image.fromarray(padded_HW).resize((size, size), Image.Resampling.NEAREST))


def _resized(names: Sequence[str], places: Sequence[Place], size: int) -> list[str]:
    """A sentence on the pictures of another size, if there are any; volumes are resized by their spacing."""
    sizes = {
        name: (place.width, place.height)
        for name, place in zip(names, places, strict=True)
        if place.z is None and (place.width, place.height) != (size, size)
    }
    if not sizes:
        return []
    theirs = some([f"{width} × {height}" for width, height in sorted(set(sizes.values()))])
    return [f"{named([*sizes])}: {theirs} pixels, resized to the model's {size} × {size}"]
