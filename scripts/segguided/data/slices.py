"""Volumes become 2-D slices (uint8 image, uint8 class map), one uncompressed .npz a patient, read memory-mapped.

Shape letters: S slices, B batch, H height (y, anterior at the top), W width (x, patient's right at the left).
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segguided.config.data import Intensity, Preparation
from segguided.data.volume import Volume, check_finite, check_same_grid
from segguided.files import atomic_path


@dataclass(frozen=True)
class Stack:
    """The slices of one patient, in ascending z."""

    patient: str
    images_SHW: np.ndarray  # uint8
    masks_SHW: np.ndarray  # uint8, class k is the k-th class of the dataset, 0 background
    positions_S: np.ndarray  # float64, LPS z in mm
    provenance: dict[str, Any]
    index_S: np.ndarray | None = None  # place of each slice in the patient's file; None: all of them, in order

    @property
    def names(self) -> list[str]:
        """Mask id of each slice, in the form the paper's authors use for file names."""
        index_S = np.arange(len(self.images_SHW)) if self.index_S is None else self.index_S
        return [f"{self.patient}_slice_{i}" for i in index_S]


class SliceSet:
    """The slices of several patients behind one index; pixels stay on disk until asked for."""

    def __init__(self, stacks: Sequence[Stack]) -> None:
        if not stacks:
            raise ValueError("expected the slices of at least one patient, got none; check the split")
        self.stacks = sorted(stacks, key=lambda stack: stack.patient)
        self._starts = np.cumsum([0] + [len(stack.images_SHW) for stack in self.stacks])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @cached_property
    def names(self) -> list[str]:
        """Mask id of each slice."""
        return [name for stack in self.stacks for name in stack.names]

    @cached_property
    def patients(self) -> np.ndarray:
        """Patient of each slice, shape (S,)."""
        return np.repeat([stack.patient for stack in self.stacks], np.diff(self._starts))

    @property
    def images(self) -> np.ndarray:
        """All images (S, H, W), uint8, in memory."""
        return np.concatenate([stack.images_SHW for stack in self.stacks])

    @property
    def masks(self) -> np.ndarray:
        """All masks (S, H, W), uint8, in memory."""
        return np.concatenate([stack.masks_SHW for stack in self.stacks])

    def where(self, chosen_S: Sequence[bool]) -> "SliceSet":
        """The slices for which `chosen_S` is true, with their names; patients left without any drop out."""
        parts = np.split(np.asarray(chosen_S, bool), self._starts[1:-1])
        return SliceSet([_subset(s, part) for s, part in zip(self.stacks, parts, strict=True) if part.any()])

    def with_images(self, images_SHW: np.ndarray, names: Sequence[str]) -> "SliceSet":
        """The same masks under other images, which must be those of the same mask ids in the same order."""
        if list(names) != self.names:
            raise ValueError(
                f"the generated set has {len(names)} images that do not belong to these {len(self)} masks; "
                "generate it again from the present slices"
            )
        parts = np.split(images_SHW, self._starts[1:-1])
        return SliceSet([replace(s, images_SHW=part) for s, part in zip(self.stacks, parts, strict=True)])

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and masks (B, H, W) of the slices at `indices`, copied into memory."""
        stack_B = np.searchsorted(self._starts, indices, side="right") - 1
        row_B = indices - self._starts[stack_B]
        pairs = [
            (self.stacks[s].images_SHW[r], self.stacks[s].masks_SHW[r])
            for s, r in zip(stack_B, row_B, strict=True)
        ]
        return np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])


def _subset(stack: Stack, chosen_S: np.ndarray) -> Stack:
    return replace(
        stack,
        images_SHW=stack.images_SHW[chosen_S],
        masks_SHW=stack.masks_SHW[chosen_S],
        positions_S=stack.positions_S[chosen_S],
        index_S=np.flatnonzero(chosen_S),
    )


def read_slices(paths: Sequence[Path]) -> SliceSet:
    """The SliceSet of several slice files. Raises ValueError when sizes differ or a file is not one of ours."""
    stacks = [read_stack(Path(path)) for path in paths]
    sizes = {stack.images_SHW.shape[1:] for stack in stacks}
    if len(sizes) > 1:
        raise ValueError(f"slice files hold images of different sizes {sorted(sizes)}; prepare them again")
    return SliceSet(stacks)


def read_stack(path: Path) -> Stack:
    """One patient's slice file; images and masks are memory maps."""
    arrays = _map_npz(path)
    missing = {"images", "masks", "positions", "provenance"} - arrays.keys()
    if missing:
        raise ValueError(f"{path} is not a slice file (no {', '.join(sorted(missing))}); prepare it again")
    provenance = json.loads(str(arrays["provenance"]))
    return Stack(path.stem, arrays["images"], arrays["masks"], np.asarray(arrays["positions"]), provenance)


def write_stack(path: Path, stack: Stack) -> None:
    """Write a patient's slices; equal content gives equal bytes."""
    write_npz(
        path,
        images=stack.images_SHW,
        masks=stack.masks_SHW,
        positions=stack.positions_S,
        provenance=np.array(json.dumps(stack.provenance, sort_keys=True)),
    )


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Write an uncompressed .npz atomically."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]


def read_generated(path: Path) -> tuple[np.ndarray, list[str]]:
    """Images (N, H, W) uint8 of a generated set, memory-mapped, and the mask ids they came from."""
    arrays = _map_npz(path)
    return arrays["images"], [str(name) for name in arrays["names"]]


def _map_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an uncompressed .npz as memory maps (numpy itself maps only .npy)."""
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            return {
                Path(member.filename).stem: _map_member(path, file, member) for member in archive.infolist()
            }
    except (zipfile.BadZipFile, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}); delete it and run the same command again") from error


def _map_member(path: Path, file: Any, member: zipfile.ZipInfo) -> np.ndarray:
    """One stored member: its array starts after the local header, whose two last lengths vary."""
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"member {member.filename} is compressed, expected it stored")
    file.seek(member.header_offset + 26)
    name_length, extra_length = np.frombuffer(file.read(4), "<u2")
    file.seek(member.header_offset + 30 + int(name_length) + int(extra_length))
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(file)
    if not shape or 0 in shape:
        return np.frombuffer(file.read(member.file_size), dtype, count=int(np.prod(shape))).reshape(shape)
    return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")


def to_stack(patient: str, image: Volume, mask: Volume, preparation: Preparation) -> Stack:
    """Window, select, square and resize a patient's volume.

    Images are resized with an anti-aliasing (triangle) filter, masks with nearest neighbour.
    Raises ValueError for unequal grids, NaN voxels, a class outside the table, or a patient without slices.
    """
    check_same_grid(image, mask, patient)
    check_finite(image, patient)
    _check_classes(patient, mask.array_zyx, preparation)
    low, high = intensity_range(image.array_zyx, preparation.intensity)
    kept = _selected(mask.array_zyx, preparation)
    if not len(kept):
        raise ValueError(
            f"patient {patient} has no slice left: {len(mask.array_zyx)} slices, none with the asked share "
            f"{preparation.slices.min_foreground:g} of labelled pixels; lower slices.min_foreground or drop the patient"
        )
    pad = _padding(image)
    shape = (len(kept), preparation.image_size, preparation.image_size)
    images_SHW, masks_SHW = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    for row, z in enumerate(kept):
        scaled = (image.array_zyx[z].astype(np.float32) - low) * (255 / (high - low))
        resized = _resize(np.pad(np.clip(scaled, 0, 255), pad), preparation.image_size, Image.Resampling.BILINEAR)
        images_SHW[row] = np.rint(resized)
        masks_SHW[row] = _resize(np.pad(mask.array_zyx[z], pad), preparation.image_size, Image.Resampling.NEAREST)
    return Stack(patient, images_SHW, masks_SHW, image.positions_mm[kept], _provenance(image, mask, preparation, low, high))


def intensity_range(array_zyx: np.ndarray, intensity: Intensity) -> tuple[float, float]:
    """The raw values that map to 0 and 255."""
    if intensity.kind == "window":
        return intensity.low, intensity.high
    low, high = np.percentile(array_zyx, [intensity.low, intensity.high])
    if low >= high:
        raise ValueError(
            f"the volume is constant between its percentiles {intensity.low:g} and {intensity.high:g} "
            f"(both {low:g}); it holds no image"
        )
    return float(low), float(high)


def _check_classes(patient: str, mask_zyx: np.ndarray, preparation: Preparation) -> None:
    highest = int(mask_zyx.max(initial=0))
    if highest > len(preparation.classes):
        raise ValueError(
            f"patient {patient}: mask value {highest} is outside the class table, which defines "
            f"1…{len(preparation.classes)} ({', '.join(preparation.class_names)}); add the class or mend the mask"
        )
    if highest == 0:
        raise ValueError(f"patient {patient} is empty: no voxel of its mask is labelled; mend the mask or drop it")


def _selected(mask_zyx: np.ndarray, preparation: Preparation) -> np.ndarray:
    share_S = (mask_zyx > 0).mean(axis=(1, 2))
    kept = np.flatnonzero(share_S >= preparation.slices.min_foreground)
    return kept[:: preparation.slices.every]


def _padding(image: Volume) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels to add around each slice so that it covers a square of the patient (mm, not pixels)."""
    _, height, width = image.array_zyx.shape
    _, mm_y, mm_x = image.spacing_zyx_mm
    side_mm = max(height * mm_y, width * mm_x)
    add_y, add_x = round(side_mm / mm_y) - height, round(side_mm / mm_x) - width
    return (add_y // 2, add_y - add_y // 2), (add_x // 2, add_x - add_x // 2)


def _resize(array_HW: np.ndarray, size: int, filter_: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(array_HW).resize((size, size), filter_))


def _provenance(image: Volume, mask: Volume, preparation: Preparation, low: float, high: float) -> dict[str, Any]:
    return {
        "image": dict(image.provenance),
        "mask": dict(mask.provenance),
        "spacing_zyx_mm": list(image.spacing_zyx_mm),
        "shape_zyx": list(image.array_zyx.shape),
        "intensity": preparation.intensity.model_dump(),
        "raw_value_of_0": low,
        "raw_value_of_255": high,
        "image_size": preparation.image_size,
        "resampling": "image: triangle filter; mask: nearest neighbour; padded to a square",
        "slices": preparation.slices.model_dump(),
        "classes": list(preparation.class_names),
    }
