"""Test masks of which several images are made, from other noise: how much a model's images vary."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segguided.data.slices import SliceSet, Stack
from segguided.data.spread import evenly_spread
from segguided.generation.variants import SEPARATOR


def repeated_masks(test: SliceSet, masks: int, images_per_mask: int) -> Stack:
    """`images_per_mask` copies of about `masks` slices, equally many of each patient, evenly spread.

    The ids are `mask id/number`, from 0. As noise is a function of seed and id, each copy has its own.
    """
    per_patient = max(1, round(masks / len(test.stacks)))
    chosen = [_of_patient(stack, per_patient) for stack in test.stacks]
    names = [name for stack in chosen for name in stack.names]
    return replace(
        chosen[0],
        patient="repeated",
        images_SHW=_repeated([stack.images_SHW for stack in chosen], images_per_mask),
        masks_SHW=_repeated([stack.masks_SHW for stack in chosen], images_per_mask),
        positions_S=_repeated([stack.positions_S for stack in chosen], images_per_mask),
        mask_ids=tuple(f"{name}{SEPARATOR}{number}" for number in range(images_per_mask) for name in names),
    )


def _of_patient(stack: Stack, count: int) -> Stack:
    """At most `count` slices of a patient, of those that hold a class where there are any."""
    slices = SliceSet([stack])
    holds = [bool(mask_HW.any()) for mask_HW in stack.masks_SHW]
    if any(holds):
        slices = slices.where(holds)
    return evenly_spread(slices, count).stacks[0]


def _repeated(parts: Sequence[np.ndarray], times: int) -> np.ndarray:
    return np.concatenate([np.concatenate(parts)] * times)
