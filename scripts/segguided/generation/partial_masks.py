"""Partial masks, with some classes kept and the rest set to background; and test masks to show them on.

Shape letters: S slices, M masks, B batch, H height, W width.
"""

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from segguided.config.reserved import FULL
from segguided.data.slices import SliceSet
from segguided.data.spread import evenly_spread
from segguided.generation.sets import Sampler, generate_images
from segguided.generation.variants import condition_of


def keep_classes(masks_BHW: Tensor, kept: Collection[int]) -> Tensor:
    """The integer masks with every class outside `kept` set to 0."""
    kept_K = torch.tensor(sorted(kept), dtype=masks_BHW.dtype, device=masks_BHW.device)
    return torch.where(torch.isin(masks_BHW, kept_K), masks_BHW, torch.zeros_like(masks_BHW))


def slices_of_several_classes(slices: SliceSet, count: int) -> SliceSet:
    """`count` of the slices whose masks hold two or more classes, evenly spread (all, if there are fewer).

    The masks alone decide, so every model and seed is shown on the same slices. Raises ValueError where no
    mask holds two classes.
    """
    has_several = [
        len(np.unique(mask_HW[mask_HW > 0])) > 1 for stack in slices.stacks for mask_HW in stack.masks_SHW
    ]
    if not any(has_several):
        raise ValueError("no test mask holds two classes, so none can be kept in part; check the masks")
    return evenly_spread(slices.where(has_several), count)


def partial_sampler(sampler: Sampler, kept: Collection[int], n_classes: int, number: int = 0) -> Sampler:
    """A sampler that sees only the classes `kept` of each mask; `number` counts the samples of a mask.

    Sample 0 starts from the noise of the mask id itself, each further sample from its own noise. The other
    classes are free.
    """
    free_classes = [value for value in range(1, n_classes + 1) if value not in kept]

    def sample_partial_masks(masks_BHW: Tensor, names: Sequence[str], free: Collection[int] = ()) -> Tensor:
        noise_names = names if number == 0 else [f"{name}#{number}" for name in names]
        return sampler(keep_classes(masks_BHW, kept), noise_names, {*free, *free_classes})

    return sample_partial_masks


def generate_conditions(
    sampler: Sampler,
    slices: SliceSet,
    n_classes: int,
    partial_masks: Sequence[Sequence[int]],
    samples_per_mask: int,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Images (M, H, W) of the variants `condition/number`: the full mask (`all`), then each partial mask.

    `partial_masks`: mask values of the kept classes.
    """
    kept_values: dict[str, Sequence[int]] = {FULL: range(1, n_classes + 1)}
    kept_values |= {condition_of(kept): kept for kept in partial_masks}
    variants = {}
    for condition, kept in kept_values.items():
        for number in range(samples_per_mask):
            partial = partial_sampler(sampler, kept, n_classes, number)
            variants[f"{condition}/{number}"] = generate_images(partial, slices, batch_size)
    return variants
