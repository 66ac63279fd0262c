"""Rare-case augmentation: images of new masks that hold a rare class.

Shape letters: N new masks and their images, H height, W width, C classes.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segguided.config.experiments import AllowedChanges
from segguided.data.augmented import PATIENT
from segguided.data.formats.npz import write_npz
from segguided.data.rarity import rarest_class, shares
from segguided.data.slices import SliceSet, Stack
from segguided.data.spread import spread_rows
from segguided.generation.mask_validity import RealMasks
from segguided.generation.new_masks import NewMask, make_new_mask

LOG = logging.getLogger("segguided")


@dataclass(frozen=True)
class RareMasks:
    """New masks as a set of slices without images, the rare class that they hold, and their donors."""

    slices: SliceSet  # mask ids `id of the source/copy`
    rare_class: int
    shares_C: np.ndarray  # of the labelled pixels of the real masks, the share of each class
    donors: list[str]  # whose rare class each mask has; "" where it is its source's


def make_rare_masks(
    slices: SliceSet, rare_class: int | None, n_classes: int, count: int, changes: AllowedChanges, seed: int
) -> RareMasks:
    """`count` new masks with the rare class, made of the masks of `slices` that hold it.

    `rare_class` None: the one with the fewest pixels in `slices`. The sources are used equally often (to
    within one), but for those of which no valid mask can be made. Raises ValueError where no mask holds the
    class, and where no source gives a valid mask.
    """
    value = rare_class or rarest_class(slices.masks, n_classes)
    real = _holders(slices, value, n_classes)
    made: dict[str, NewMask] = {}
    copy = 0
    while len(made) < count:
        wanted = count - len(made)
        rows = spread_rows(len(real.names), wanted)
        others = [row for row in range(len(real.names)) if row not in rows]
        new = _new_masks(real, rows, changes, seed, copy) or _new_masks(real, others, changes, seed, copy)
        if not new:
            raise ValueError(
                f"expected new masks of the class {value}, but no attempt with {len(real.names)} held-out "
                "masks gave a valid one; lower applications.rare.deformation"
            )
        made |= dict(list(new.items())[:wanted])
        copy += 1
    donors = [new.donor or "" for new in made.values()]
    return RareMasks(_without_images(slices, made), value, shares(slices.masks, n_classes), donors)


def write_rare_set(path: Path, facts: Mapping[str, str], masks: RareMasks, images_NHW: np.ndarray) -> None:
    """Write the generated `images` with their `masks`, `names` and `donors`, `rare_class` and `shares`."""
    write_npz(
        path,
        facts,
        images=images_NHW,
        names=np.array(masks.slices.names, str),
        masks=masks.slices.masks,
        donors=np.array(masks.donors, str),
        rare_class=np.array(masks.rare_class),
        shares=masks.shares_C,
    )


def _holders(slices: SliceSet, rare_class: int, n_classes: int) -> RealMasks:
    holds = [bool((mask_HW == rare_class).any()) for stack in slices.stacks for mask_HW in stack.masks_SHW]
    if not any(holds):
        raise ValueError(
            f"no held-out mask holds the rare class ({rare_class}), so no image can be generated from it; "
            "name another class"
        )
    holders = slices.where(holds)
    return RealMasks(holders.masks, holders.names, rare_class, n_classes)


def _new_masks(
    real: RealMasks, rows: list[int], changes: AllowedChanges, seed: int, copy: int
) -> dict[str, NewMask]:
    """A new mask by its id `id of the source/copy`, for each of the rows that gives a valid one."""
    masks = [make_new_mask(real, row, changes, seed, copy) for row in rows]
    return {f"{new.source}/{copy}": new for new in masks if new is not None}


def _without_images(slices: SliceSet, made: Mapping[str, NewMask]) -> SliceSet:
    """The new masks as one patient's slices; in place of images they have the masks."""
    masks_NHW = np.stack([new.mask_HW for new in made.values()])
    donors = sum(new.donor is not None for new in made.values())
    LOG.info("%d new masks, %d of them with the rare class of another mask", len(made), donors)
    provenance = slices.stacks[0].provenance
    stack = Stack(PATIENT, masks_NHW, masks_NHW, np.zeros(len(made)), provenance, tuple(made))
    return SliceSet([stack])
