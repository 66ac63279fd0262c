"""2-D slices on disk: uint8 images and class maps, an uncompressed .npz file for each patient.

They are memory-mapped: pixels are read from disk when they are needed.

Shape letters: S slices, B batch, H height (y, anterior at the top), W width (x, patient's right at the left),
V values that a mask can have. Images of two to four channels have these as one more, last axis; the names of
arrays leave it out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress, groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from segguided.data.formats.npz import map_npz, write_npz
from segguided.data.image_arrays import are_images, channels_of
from segguided.data.open_files import allow_open_files
from segguided.seals import AGAIN, archive_facts

VALUES = 256  # that a uint8 mask can have


@dataclass(frozen=True)
class Stack:
    """The slices of one patient, in ascending z."""

    patient: str
    images_SHW: np.ndarray  # uint8
    masks_SHW: np.ndarray  # uint8, class k is the k-th class of the dataset, 0 background
    positions_S: np.ndarray  # float64, LPS z in mm; slice numbers where positions are unknown
    provenance: dict[str, Any]
    mask_ids: tuple[str, ...] | None = None  # of each slice; None: the patient and a number from 0
    not_annotated: tuple[int, ...] = ()  # mask values of classes that may be anywhere: the masks lack them

    @property
    def names(self) -> list[str]:
        """Mask id of each slice, in the form the paper's authors use for file names."""
        if self.mask_ids is not None:
            return list(self.mask_ids)
        return [f"{self.patient}_slice_{i}" for i in range(len(self.images_SHW))]


class SliceSet:
    """The slices of several patients behind one index; pixels stay on disk until asked for."""

    def __init__(self, stacks: Sequence[Stack]) -> None:
        """`stacks` in any order; they are sorted. Raises ValueError for none, or a patient twice."""
        if not stacks:
            raise ValueError("expected the slices of at least one patient, got none; check the split")
        self.stacks = sorted(stacks, key=lambda stack: stack.patient)
        for stack, next_stack in pairwise(self.stacks):
            if stack.patient == next_stack.patient:
                raise ValueError(
                    f"patient {stack.patient} appears twice in one set of slices; name each file once"
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

    @cached_property
    def not_annotated(self) -> np.ndarray | None:
        """Which classes each slice's patient was not annotated for, (S, VALUES) bool; None where all are."""
        if not any(stack.not_annotated for stack in self.stacks):
            return None
        flags_SV = np.zeros((len(self), VALUES), bool)
        for start, stack in zip(self._starts, self.stacks, strict=False):
            flags_SV[start : start + len(stack.images_SHW), list(stack.not_annotated)] = True
        return flags_SV

    def by_not_annotated(self, indices: np.ndarray) -> list[tuple[tuple[int, ...], slice]]:
        """`indices` in runs of slices that lack the same classes: these classes, and where the run is."""
        stack_B = np.searchsorted(self._starts, indices, side="right") - 1
        runs = []
        start = 0
        for missing, run in groupby(self.stacks[stack].not_annotated for stack in stack_B):
            end = start + len(list(run))
            runs.append((missing, slice(start, end)))
            start = end
        return runs

    @property
    def preparation(self) -> str | None:
        """The digest of the settings that made these slices; None where their files hold none."""
        digest: str | None = self.stacks[0].provenance.get("preparation")
        return digest

    @property
    def channels(self) -> int:
        """How many channels each image has."""
        return channels_of(self.stacks[0].images_SHW)

    @property
    def images(self) -> np.ndarray:
        """All images (S, H, W), uint8, in memory."""
        return np.concatenate([stack.images_SHW for stack in self.stacks])

    @property
    def masks(self) -> np.ndarray:
        """All masks (S, H, W), uint8, in memory."""
        return np.concatenate([stack.masks_SHW for stack in self.stacks])

    def where(self, chosen_S: Sequence[bool]) -> "SliceSet":
        """The slices for which `chosen_S` is true, with their names, and only their patients."""
        chosen = np.asarray(chosen_S, bool)
        if chosen.shape != (len(self),) or not chosen.any():
            raise ValueError(
                f"expected to keep some of {len(self)} slices, got {chosen.sum()} of {chosen.size}"
            )
        parts = np.split(chosen, self._starts[1:-1])
        chosen_by_stack = zip(self.stacks, parts, strict=True)
        return SliceSet([_subset(stack, part_S) for stack, part_S in chosen_by_stack if part_S.any()])

    def with_images(self, images_SHW: np.ndarray, names: Sequence[str]) -> "SliceSet":
        """The same masks with other images, those of the same mask ids in the same order."""
        size = self.stacks[0].images_SHW.shape[1:]
        if list(names) != self.names or images_SHW.shape != (len(self), *size):
            raise ValueError(
                f"the generated set holds images {images_SHW.shape} that do not belong to these "
                f"{len(self)} masks of {size}; generate it again from the present slices"
            )
        parts = np.split(images_SHW, self._starts[1:-1])
        images_by_stack = zip(self.stacks, parts, strict=True)
        return SliceSet([replace(stack, images_SHW=part_SHW) for stack, part_SHW in images_by_stack])

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and masks (B, H, W) of the slices at `indices`, copied into memory."""
        stack_B = np.searchsorted(self._starts, indices, side="right") - 1
        row_B = indices - self._starts[stack_B]
        places = [(self.stacks[stack], row) for stack, row in zip(stack_B, row_B, strict=True)]
        images_BHW = np.stack([stack.images_SHW[row] for stack, row in places])
        masks_BHW = np.stack([stack.masks_SHW[row] for stack, row in places])
        return images_BHW, masks_BHW


def _subset(stack: Stack, chosen_S: np.ndarray) -> Stack:
    return replace(
        stack,
        images_SHW=stack.images_SHW[chosen_S],
        masks_SHW=stack.masks_SHW[chosen_S],
        positions_S=stack.positions_S[chosen_S],
        mask_ids=tuple(compress(stack.names, chosen_S)),
    )


def read_slices(paths: Sequence[Path]) -> SliceSet:
    """The SliceSet of several slice files.

    Raises ValueError for other files, unequal sizes, and more files than this machine lets a process open.
    """
    allow_open_files(len(paths))
    stacks = [read_stack(Path(path)) for path in paths]
    sizes = {stack.images_SHW.shape[1:] for stack in stacks}
    if len(sizes) > 1:
        raise ValueError(f"slice files hold images of different sizes {sorted(sizes)}; prepare them again")
    preparations = [stack.provenance.get("preparation") for stack in stacks]
    example_of = dict(zip(preparations, paths, strict=True))
    if len(example_of) > 1:
        raise ValueError(
            f"{' and '.join(map(str, example_of.values()))} were prepared by different settings (classes, "
            "their order, grey values, size); delete the one that does not belong, or both, and run the same "
            "command again"
        )
    return SliceSet(stacks)


def check_preparation(path: Path, digest: str | None, slices: SliceSet) -> None:
    """Raise ValueError where the slices behind `path` were prepared by other settings than `slices`.

    Then a mask value may mean another class. `digest` is that of the slices behind `path`; None passes.
    """
    if digest and slices.preparation and digest != slices.preparation:
        raise ValueError(
            f"{path} comes from slices that were prepared by other settings (classes, their order, "
            f"grey values, size) than those of patient {slices.stacks[0].patient}; {AGAIN}"
        )


def read_stack(path: Path) -> Stack:
    """One patient's slice file; images and masks are read-only views of a memory map.

    Raises ValueError where the file is damaged or not one of ours.
    """
    arrays = map_npz(path)
    try:
        stack = Stack(
            patient=path.stem,
            images_SHW=arrays["images"],
            masks_SHW=arrays["masks"],
            positions_S=arrays["positions"].copy(),
            provenance=dict(json.loads(str(arrays["provenance"]))),
            mask_ids=tuple(map(str, arrays["names"])) if "names" in arrays else None,
            not_annotated=tuple(map(int, arrays.get("not_annotated", ()))),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a slice file ({error}); delete it and prepare it again") from error
    _check_stack(path, stack)
    return stack


def _check_stack(path: Path, stack: Stack) -> None:
    """Raise ValueError where types and shapes of the arrays are not those of slices."""
    images_SHW = stack.images_SHW
    masks_SHW = stack.masks_SHW
    positions_S = stack.positions_S
    shapes = {images_SHW.shape[:3], masks_SHW.shape, (*positions_S.shape, *images_SHW.shape[1:3])}
    if len(shapes) > 1 or not are_images(images_SHW) or masks_SHW.dtype != np.uint8:
        raise ValueError(
            f"{path}: expected uint8 images and masks (S, H, W) and S positions, got {images_SHW.dtype} "
            f"{images_SHW.shape}, {masks_SHW.dtype} {masks_SHW.shape} and {positions_S.shape}; "
            "prepare it again"
        )
    if not set(stack.not_annotated) <= set(range(1, VALUES)):
        raise ValueError(
            f"{path}: expected values of classes that are not annotated, from 1 to {VALUES - 1}, got "
            f"{stack.not_annotated}; prepare it again"
        )
    if stack.mask_ids is not None and len(stack.mask_ids) != len(images_SHW):
        raise ValueError(
            f"{path}: {len(images_SHW)} slices have {len(stack.mask_ids)} names; prepare it again"
        )


def write_stack(path: Path, stack: Stack) -> None:
    """Write a patient's slices; equal content gives equal bytes.

    A fully annotated patient's file has no member `not_annotated`.
    """
    optional = {} if stack.mask_ids is None else {"names": np.array(stack.mask_ids)}
    if stack.not_annotated:
        optional["not_annotated"] = np.array(stack.not_annotated, np.uint8)
    write_npz(
        path,
        images=stack.images_SHW,
        masks=stack.masks_SHW,
        positions=stack.positions_S,
        provenance=np.array(json.dumps(stack.provenance, sort_keys=True)),
        **optional,
    )


def read_generated(path: Path, masks: SliceSet | None = None) -> tuple[np.ndarray, list[str]]:
    """Images (N, H, W) uint8 of a generated set, memory-mapped, and the mask ids they came from.

    Raises ValueError where the file is damaged or no generated set, and where it was generated from slices
    that were prepared by other settings than `masks`.
    """
    arrays = map_npz(path)
    if masks:
        check_preparation(path, archive_facts(path).get("preparation"), masks)
    images_NHW = arrays.get("images", np.empty(0))
    names_N = arrays.get("names", np.empty(0))
    if not are_images(images_NHW) or names_N.shape != images_NHW.shape[:1]:
        raise ValueError(
            f"{path}: expected uint8 images (N, H, W) and N names, got {images_NHW.dtype} "
            f"{images_NHW.shape} and {names_N.shape}; delete it and generate it again"
        )
    return images_NHW, [str(name) for name in names_N]


def read_seen_masks(path: Path, images_NHW: np.ndarray) -> np.ndarray:
    """The masks (N, H, W) uint8 that the images of a generated set follow, memory-mapped.

    Raises ValueError where the set holds none: its images follow the masks of its slices.
    """
    masks_NHW: np.ndarray = map_npz(path).get("masks", np.empty(0))
    if masks_NHW.dtype != np.uint8 or masks_NHW.shape != images_NHW.shape[:3]:
        raise ValueError(
            f"{path}: expected masks of the shape of its images, {images_NHW.shape[:3]}, got "
            f"{masks_NHW.dtype} {masks_NHW.shape}; delete it and generate it again"
        )
    return masks_NHW
