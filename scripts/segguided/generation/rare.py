"""Rare-case augmentation: more images of the masks that hold a rare class, beside the real ones.

Shape letters: N images, H height, W width.
"""

import numpy as np

from segguided.data.slices import SliceSet
from segguided.data.spread import evenly_spread
from segguided.generation.partial_masks import partial_sampler
from segguided.generation.sets import Sampler, generate_images


def generate_rare_cases(
    sampler: Sampler, slices: SliceSet, rare_class: int, n_classes: int, count: int, batch_size: int
) -> tuple[np.ndarray, list[str]]:
    """`count` images (N, H, W) of the masks that hold `rare_class`, and their ids `mask id/number`.

    The masks are used equally often (to within one), each time with other noise. Raises ValueError where no
    mask holds the class.
    """
    holders = _slices_with(slices, rare_class)
    batches: list[np.ndarray] = []
    ids: list[str] = []
    number = 0
    while len(ids) < count:
        chosen = evenly_spread(holders, count - len(ids))
        full_masks = partial_sampler(sampler, range(1, n_classes + 1), number)
        batches.append(generate_images(full_masks, chosen, batch_size))
        ids += [f"{name}/{number}" for name in chosen.names]
        number += 1
    return np.concatenate(batches), ids


def _slices_with(slices: SliceSet, rare_class: int) -> SliceSet:
    holds = [bool((mask_HW == rare_class).any()) for stack in slices.stacks for mask_HW in stack.masks_SHW]
    if not any(holds):
        raise ValueError(
            f"no held-out mask holds the rare class ({rare_class}), so no image can be generated from it; "
            "name another class"
        )
    return slices.where(holds)
