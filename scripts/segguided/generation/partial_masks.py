"""Partial masks, with some classes kept and the rest set to background; and test masks to show them on.

Shape letters: S slices, M masks, B batch, H height, W width.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from segguided.config.reserved import FULL
from segguided.data.slices import SliceSet
from segguided.data.spread import evenly_spread
from segguided.generation.completion import Completer
from segguided.generation.sets import Sampler, generate_images
from segguided.generation.variants import condition_of

MaskChanger = Callable[[Tensor, Sequence[str]], Tensor]  # masks_BHW and mask ids -> masks_BHW; uint8


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


def removed_classes(kept: Collection[int], n_classes: int) -> list[int]:
    """The mask values outside `kept`, which are free."""
    return [value for value in range(1, n_classes + 1) if value not in kept]


def mask_changer(completer: Completer | None, kept: Collection[int], n_classes: int) -> MaskChanger:
    """Masks as the model sees them: only the classes `kept`, and what its completer adds, if it has one."""
    free = removed_classes(kept, n_classes)

    def change_masks(masks_BHW: Tensor, names: Sequence[str]) -> Tensor:
        kept_BHW = keep_classes(masks_BHW, kept)
        return completer(kept_BHW, names, free) if completer else kept_BHW

    return change_masks


def generate_from_partial_masks(
    sampler: Sampler,
    completer: Completer | None,
    slices: SliceSet,
    kept: Collection[int],
    n_classes: int,
    batch_size: int,
    number: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Images (M, H, W) of masks of which only `kept` is given, and the masks that they were generated from.

    `number` counts the samples of a mask: sample 0 starts from the noise of the mask id itself, each further
    sample from its own. A completer fills in the other classes first; without one they are the sampler's
    free classes.
    """
    change_masks = mask_changer(completer, kept, n_classes)
    free = [] if completer else removed_classes(kept, n_classes)
    masks: list[np.ndarray] = []

    def sample_partial_masks(masks_BHW: Tensor, names: Sequence[str], free: Collection[int] = free) -> Tensor:
        noise_names = names if number == 0 else [f"{name}#{number}" for name in names]
        changed_BHW = change_masks(masks_BHW, noise_names)
        masks.append(changed_BHW.cpu().numpy())
        return sampler(changed_BHW, noise_names, free)

    images_MHW = generate_images(sample_partial_masks, slices, batch_size)
    return images_MHW, np.concatenate(masks)


@dataclass(frozen=True)
class Variants:
    """Images (M, H, W) by variant, and the masks that the model saw."""

    images: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]


def generate_conditions(
    sampler: Sampler,
    completer: Completer | None,
    slices: SliceSet,
    n_classes: int,
    partial_masks: Sequence[Sequence[int]],
    samples_per_mask: int,
    batch_size: int,
) -> Variants:
    """The variants `condition/number`: the full mask (`all`), then each partial mask.

    `partial_masks`: mask values of the kept classes.
    """
    kept_values: dict[str, Sequence[int]] = {FULL: range(1, n_classes + 1)}
    kept_values |= {condition_of(kept): kept for kept in partial_masks}
    variants = Variants({}, {})
    for condition, kept in kept_values.items():
        for number in range(samples_per_mask):
            images_MHW, masks_MHW = generate_from_partial_masks(
                sampler, completer, slices, kept, n_classes, batch_size, number
            )
            variants.images[f"{condition}/{number}"] = images_MHW
            variants.masks[f"{condition}/{number}"] = masks_MHW
    return variants
