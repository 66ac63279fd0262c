"""Volumes become 2-D slices (uint8 image and class map), one uncompressed .npz a patient, read memory-mapped.

Shape letters: S slices, B batch, H height (y, anterior at the top), W width (x, patient's right at the left).
"""

import json
import resource
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segguided.config.data import Intensity, Preparation
from segguided.data.npz import map_npz
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
    index_S: np.ndarray | None = (
        None  # place of each slice in the patient's file; None: all of them, in order
    )

    @property
    def names(self) -> list[str]:
        """Mask id of each slice, in the form the paper's authors use for file names."""
        index_S = np.arange(len(self.images_SHW)) if self.index_S is None else self.index_S
        return [f"{self.patient}_slice_{i}" for i in index_S]


class SliceSet:
    """The slices of several patients behind one index; pixels stay on disk until asked for."""

    def __init__(self, stacks: Sequence[Stack]) -> None:
        """`stacks` in any order; they are kept by patient. Raises ValueError for none, or a patient twice."""
        if not stacks:
            raise ValueError("expected the slices of at least one patient, got none; check the split")
        self.stacks = sorted(stacks, key=lambda stack: stack.patient)
        for one, following in pairwise(self.stacks):
            if one.patient == following.patient:
                raise ValueError(
                    f"patient {one.patient} stands twice in one set of slices; name each file once"
                )
        self._starts = np.cumsum([0] + [len(stack.images_SHW) for stack in self.stacks])

    def __len__(self) -> int:
        """Number of slices."""
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
        chosen = np.asarray(chosen_S, bool)
        if chosen.shape != (len(self),) or not chosen.any():
            raise ValueError(
                f"expected to keep some of {len(self)} slices, got {chosen.sum()} of {chosen.size}"
            )
        parts = np.split(chosen, self._starts[1:-1])
        return SliceSet([_subset(s, part) for s, part in zip(self.stacks, parts, strict=True) if part.any()])

    def with_images(self, images_SHW: np.ndarray, names: Sequence[str]) -> "SliceSet":
        """The same masks under other images, which must be those of the same mask ids in the same order."""
        size = self.stacks[0].masks_SHW.shape[1:]
        if list(names) != self.names or images_SHW.shape != (len(self), *size):
            raise ValueError(
                f"the generated set holds images {images_SHW.shape} that do not belong to these "
                f"{len(self)} masks of {size}; generate it again from the present slices"
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
    index_S = np.arange(len(chosen_S)) if stack.index_S is None else stack.index_S
    return replace(
        stack,
        images_SHW=stack.images_SHW[chosen_S],
        masks_SHW=stack.masks_SHW[chosen_S],
        positions_S=stack.positions_S[chosen_S],
        index_S=index_S[chosen_S],
    )


def read_slices(paths: Sequence[Path]) -> SliceSet:
    """The SliceSet of several slice files. Raises ValueError for other files and unequal sizes."""
    _allow_open_files(len(paths))
    stacks = [read_stack(Path(path)) for path in paths]
    sizes = {stack.images_SHW.shape[1:] for stack in stacks}
    if len(sizes) > 1:
        raise ValueError(f"slice files hold images of different sizes {sorted(sizes)}; prepare them again")
    return SliceSet(stacks)


def _allow_open_files(count: int) -> None:
    """Raise this process's limit of open files, often 1024: each memory map counts as one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def read_stack(path: Path) -> Stack:
    """One patient's slice file; images and masks are read-only views of a memory map.

    Raises ValueError where the file is damaged or not one of ours.
    """
    arrays = map_npz(path)
    try:
        images_SHW, masks_SHW, positions_S = arrays["images"], arrays["masks"], arrays["positions"].copy()
        provenance = json.loads(str(arrays["provenance"]))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is not a slice file ({error}); delete it and prepare it again") from error
    shapes = images_SHW.shape, masks_SHW.shape, (*positions_S.shape, *images_SHW.shape[1:])
    if (
        len(set(shapes)) > 1
        or images_SHW.ndim != 3
        or {images_SHW.dtype, masks_SHW.dtype} != {np.dtype(np.uint8)}
    ):
        raise ValueError(
            f"{path}: expected uint8 images and masks (S, H, W) and S positions, got {images_SHW.dtype} "
            f"{images_SHW.shape}, {masks_SHW.dtype} {masks_SHW.shape} and {positions_S.shape}; "
            "prepare it again"
        )
    return Stack(path.stem, images_SHW, masks_SHW, positions_S, provenance)


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
    """Images (N, H, W) uint8 of a generated set, memory-mapped, and the mask ids they came from.

    Raises ValueError where the file is damaged or no generated set.
    """
    arrays = map_npz(path)
    images_NHW, names_N = arrays.get("images", np.empty(0)), arrays.get("names", np.empty(0))
    if images_NHW.dtype != np.uint8 or images_NHW.ndim != 3 or names_N.shape != images_NHW.shape[:1]:
        raise ValueError(
            f"{path}: expected uint8 images (N, H, W) and N names, got {images_NHW.dtype} "
            f"{images_NHW.shape} and {names_N.shape}; delete it and generate it again"
        )
    return images_NHW, [str(name) for name in names_N]


def to_stack(patient: str, image: Volume, mask: Volume, preparation: Preparation) -> Stack:
    """Window, select, square and resize a patient's volume.

    Images are resized with an anti-aliasing (triangle) filter, masks with nearest neighbour.
    Raises ValueError for unequal grids, NaN voxels, a class outside the table, or a patient without slices.
    """
    check_same_grid(image, mask, patient)
    check_finite(image, patient)
    _check_classes(patient, mask.array_zyx, preparation)
    low, high = intensity_range(image.array_zyx, preparation.intensity)
    _check_contrast(patient, image.array_zyx, low, high)
    kept = _selected(mask.array_zyx, preparation)
    if not len(kept):
        raise ValueError(
            f"patient {patient} has no slice left: {len(mask.array_zyx)} slices, none with the asked share "
            f"{preparation.slices.min_foreground:g} of labelled pixels; lower slices.min_foreground or drop "
            "the patient"
        )
    pad = _padding(image)
    shape = (len(kept), preparation.image_size, preparation.image_size)
    images_SHW, masks_SHW = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    for row, z in enumerate(kept):
        scaled = (image.array_zyx[z].astype(np.float32) - low) * (255 / (high - low))
        resized = _resize(
            np.pad(np.clip(scaled, 0, 255), pad), preparation.image_size, Image.Resampling.BILINEAR
        )
        images_SHW[row] = np.rint(resized)
        masks_SHW[row] = _resize(
            np.pad(mask.array_zyx[z], pad), preparation.image_size, Image.Resampling.NEAREST
        )
    return Stack(
        patient,
        images_SHW,
        masks_SHW,
        image.positions_mm[kept],
        _provenance(image, mask, preparation, low, high),
    )


def intensity_range(array_zyx: np.ndarray, intensity: Intensity) -> tuple[float, float]:
    """The raw values that map to 0 and 255."""
    if intensity.kind == "window":
        return intensity.low, intensity.high
    low, high = np.percentile(array_zyx, [intensity.low, intensity.high])
    return float(low), float(high)


def _check_contrast(patient: str, array_zyx: np.ndarray, low: float, high: float) -> None:
    darkest, brightest = float(array_zyx.min()), float(array_zyx.max())
    if low >= high or brightest <= low or darkest >= high:
        raise ValueError(
            f"patient {patient}: voxels run from {darkest:g} to {brightest:g}, which {low:g}…{high:g} maps "
            "to one grey value; choose another `intensity`, or drop the patient if it holds no image"
        )


def _check_classes(patient: str, mask_zyx: np.ndarray, preparation: Preparation) -> None:
    highest = int(mask_zyx.max(initial=0))
    if highest > len(preparation.classes):
        raise ValueError(
            f"patient {patient}: mask value {highest} is outside the class table, which defines "
            f"1…{len(preparation.classes)} ({', '.join(preparation.class_names)}); add the class or mend "
            "the mask"
        )
    if highest == 0:
        raise ValueError(
            f"patient {patient} is empty: no voxel of its mask is labelled; mend the mask or drop it"
        )


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


def _provenance(
    image: Volume, mask: Volume, preparation: Preparation, low: float, high: float
) -> dict[str, Any]:
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
