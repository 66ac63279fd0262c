"""Real slices and, beside them, images generated from new masks.

Shape letters: N new masks and their images, H height, W width.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segguided.data.formats.npz import map_npz
from segguided.data.slices import SliceSet, Stack, read_generated

PATIENT = "generated"  # the patient name of the generated images


@dataclass(frozen=True)
class RareSet:
    """A generated set of rare cases: images and masks (N, H, W), their ids, and the value of the class.

    `shares_C`: of the labelled pixels of the slices that it was generated for, the share of each class.
    """

    images_NHW: np.ndarray
    masks_NHW: np.ndarray
    names: list[str]
    rare_class: int
    shares_C: np.ndarray


def read_rare_set(path: Path, slices: SliceSet) -> RareSet:
    """The set in a file, generated for `slices`.

    Raises ValueError for another file, and where it was generated from slices that were prepared by other
    settings than `slices`.
    """
    images_NHW, names = read_generated(path, slices)
    arrays = map_npz(path)
    masks_NHW = arrays.get("masks", np.empty(0))
    is_complete = {"rare_class", "shares"} <= arrays.keys()
    if masks_NHW.shape != images_NHW.shape[:3] or masks_NHW.dtype != np.uint8 or not is_complete:
        raise ValueError(
            f"{path}: expected uint8 masks {images_NHW.shape[:3]}, the rare class and shares beside the "
            f"images, got {masks_NHW.dtype} {masks_NHW.shape}; delete it and generate it again"
        )
    rare_class = int(arrays["rare_class"])
    return RareSet(images_NHW, masks_NHW, names, rare_class, np.array(arrays["shares"]))


def with_generated(slices: SliceSet, rare: RareSet) -> SliceSet:
    """`slices` and, as one more patient, the generated images with the masks they were generated from."""
    positions_N = np.zeros(len(rare.names))
    provenance = slices.stacks[0].provenance
    generated = Stack(PATIENT, rare.images_NHW, rare.masks_NHW, positions_N, provenance, tuple(rare.names))
    return SliceSet([*slices.stacks, generated])
