"""Patients of a folder of PNG slices and masks.

The pipeline reads IMAGES/{train,val,test}/PATIENT_slice_N.png and the same names in MASKS. For other names a
folder of links gives the user's files these names; the files stay as they are.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from segguided.app.start.candidates import SPLIT_OF_FOLDER, Candidate, Candidates, safe_name, without_common
from segguided.app.start.folder_files import PNG, FolderFiles, counted, shown
from segguided.app.start.pairing import Pair, pair
from segguided.data.formats import png
from segguided.data.formats.volume import Volume

NUMBER = re.compile(r"(?P<patient>.+?)[_\-. ](?:slice|z|s)?[_\-. ]?(?P<number>\d+)", re.IGNORECASE)
Slices = dict[int, tuple[Path, Path]]  # image and mask by the slice's number


def png_patients(files: FolderFiles) -> Candidates:
    """A patient for each group of slices; PATIENT_slice_N.png says which group a slice is of."""
    pairs = pair(files.png, files.root, PNG, _count_labels)
    found = Candidates("PNG", [], pairs.remarks)
    roots = _layout(pairs.pairs)
    if roots:
        found.source = {"kind": "png", "images": str(roots[0]), "masks": str(roots[1])}
    for (name, split), slices in _grouped(pairs.pairs, found.remarks).items():
        links = {} if roots else {f"{name}_slice_{number}": slices[number] for number in sorted(slices)}
        found.patients.append(Candidate(name, split, {}, partial(_read, slices), links))
    return found


def _layout(pairs: Sequence[Pair]) -> tuple[Path, Path] | None:
    """The folders of images and masks, where all pairs are in the layout that the pipeline reads."""
    roots = {(item.image.parent.parent, item.mask.parent.parent) for item in pairs}
    fits = all(
        item.image.name == item.mask.name and item.image.parent.name == item.mask.parent.name
        for item in pairs
    )
    if len(roots) != 1 or not fits or {item.image.parent.name for item in pairs} - png.FOLDERS.keys():
        return None
    images, masks = roots.pop()
    try:
        png.check_pairs(png.list_slices(images), png.list_slices(masks), masks)
    except ValueError:
        return None
    return images, masks


def _grouped(pairs: Sequence[Pair], remarks: list[str]) -> dict[tuple[str, str], Slices]:
    """The slices of each patient and the split that its folder names."""
    by_patient: dict[str, list[tuple[int | None, str, Pair]]] = defaultdict(list)
    pairs = [replace(item, parts=without_common(item.parts, pairs)) for item in pairs]
    for item in pairs:
        patient, number, split = _slice(item.parts)
        by_patient[patient].append((number, split, item))
    explicit = any("_slice_" in item.parts[-1].lower() for item in pairs if item.parts)
    if pairs and not explicit and (len(by_patient) < 3 or len(pairs) < 2 * len(by_patient)):
        by_patient = _each_alone(pairs, remarks)
    groups: dict[tuple[str, str], Slices] = {}
    for patient, items in sorted(by_patient.items()):
        splits = {split for _, split, _ in items}
        split = splits.pop() if len(splits) == 1 else ""
        groups[safe_name(patient), split] = _numbered(patient, items, remarks)
    return groups


def _slice(parts: Sequence[str]) -> tuple[str, int | None, str]:
    """Patient, slice number and split that the path of a pair states."""
    if not parts:
        return "patient", None, ""
    split = SPLIT_OF_FOLDER.get(parts[0].lower(), "") if len(parts) > 1 else ""
    folders, name = list(parts[1 if split else 0 : -1]), parts[-1]
    match = NUMBER.fullmatch(name)
    if match:
        patient = match["patient"]
        known = folders and patient.lower() in (folders[-1].lower(), "slice", "z", "s")
        return "_".join([*folders] if known else [*folders, patient]), int(match["number"]), split
    if folders and re.fullmatch(r"(?:slice|z|s)?\d+", name, re.IGNORECASE):
        return "_".join(folders), int(re.sub(r"\D", "", name)), split
    return "_".join([*folders, name]), None, split


def _each_alone(pairs: Sequence[Pair], remarks: list[str]) -> dict[str, list[tuple[int | None, str, Pair]]]:
    remarks.append(
        "each PNG file counts as a patient of its own: if several are slices of one patient, name them "
        "PATIENT_slice_NUMBER.png, because slices of one patient in two splits make all numbers too good"
    )
    alone: dict[str, list[tuple[int | None, str, Pair]]] = {}
    for item in pairs:
        split = SPLIT_OF_FOLDER.get(item.parts[0].lower(), "") if len(item.parts) > 1 else ""
        alone["_".join(item.parts[1:] if split else item.parts) or "patient"] = [(None, split, item)]
    return alone


def _numbered(patient: str, items: Sequence[tuple[int | None, str, Pair]], remarks: list[str]) -> Slices:
    slices: Slices = {}
    repeated = []
    for number, _, item in items:
        place = len(slices) if number is None else number
        if place in slices:
            repeated.append(item.image)
        else:
            slices[place] = (item.image, item.mask)
    if repeated:
        remarks.append(
            f"{counted(len(repeated), 'slice')} of patient {patient} left out, because their numbers are "
            f"there twice: {shown(repeated, repeated[0].parent)}"
        )
    return slices


def _read(slices: Mapping[int, tuple[Path, Path]]) -> tuple[Volume, Volume]:
    numbers = sorted(slices)
    images = [png.read_grey(slices[number][0]) for number in numbers]
    masks = [png.read_grey(slices[number][1]) for number in numbers]
    for number, image_HW, mask_HW in zip(numbers, images, masks, strict=True):
        if image_HW.shape != images[0].shape:
            raise ValueError(
                f"{slices[number][0]}: has {_size(image_HW)} pixels, but {slices[numbers[0]][0].name} has "
                f"{_size(images[0])}; the slices of a patient must have one size"
            )
        if image_HW.shape != mask_HW.shape:
            raise ValueError(
                f"{slices[number][0]}: has {_size(image_HW)} pixels, but its mask {_size(mask_HW)}; "
                "make them equal"
            )
    ids = {f"slice_{number}": number for number in numbers}
    affine = np.eye(4)
    return Volume(np.stack(images), affine, {}, ids), Volume(np.stack(masks), affine, {}, ids)


def _size(pixels_HW: np.ndarray) -> str:
    return f"{pixels_HW.shape[1]} × {pixels_HW.shape[0]}"


def _count_labels(path: Path) -> int | None:
    try:
        return len(np.unique(png.read_grey(path)))
    except (ValueError, OSError):
        return None
