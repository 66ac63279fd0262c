"""Partial masks, with some classes kept and the rest set to background; and test masks to show them on.

Shape letters: S slices, M masks, B batch, H height, W width.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from segguided.config.reserved import FULL
from segguided.data.slices import SliceSet
from segguided.data.spread import evenly_spread
from segguided.generation.masks.completion import Completer
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


def numbered(names: Sequence[str], number: int) -> Sequence[str]:
    """The mask ids that the noise of image `number` of each mask is a function of; image 0 has the mask's."""
    return names if number == 0 else [f"{name}#{number}" for name in names]


@dataclass(frozen=True)
class GivenClasses:
    """The mask values `kept` that a partial mask gives of 1…`n_classes`, and what fills in the others.

    Without a completer the other classes are background in the mask, and the sampler is told that they are
    free.
    """

    kept: Collection[int]
    n_classes: int
    completer: Completer | None = None

    @property
    def removed(self) -> list[int]:
        """The mask values that are not kept."""
        return [value for value in range(1, self.n_classes + 1) if value not in self.kept]

    @property
    def free(self) -> list[int]:
        """The mask values that are left to the sampler."""
        return [] if self.completer else self.removed

    def masks(self, masks_BHW: Tensor, names: Sequence[str]) -> Tensor:
        """uint8 masks as the sampler sees them: the classes kept, and what the completer adds."""
        kept_BHW = keep_classes(masks_BHW, self.kept)
        return self.completer(kept_BHW, names, self.removed) if self.completer else kept_BHW


@dataclass(frozen=True)
class PartialMaskSampler:
    """A sampler of images from partial masks; `masks` gains those that each batch was generated from.

    `number` counts the samples of a mask: sample 0 starts from the noise of the mask id itself, each further
    sample from its own.
    """

    sampler: Sampler
    given: GivenClasses
    number: int
    masks: list[np.ndarray]

    def __call__(self, masks_BHW: Tensor, names: Sequence[str], free: Collection[int] = ()) -> Tensor:
        """An image of each mask, of which only the given classes are looked at."""
        noise_names = numbered(names, self.number)
        seen_BHW = self.given.masks(masks_BHW, noise_names)
        self.masks.append(seen_BHW.cpu().numpy())
        return self.sampler(seen_BHW, noise_names, [*self.given.free, *free])


def generate_from_partial_masks(
    sampler: Sampler, given: GivenClasses, slices: SliceSet, batch_size: int, number: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Images (M, H, W) of masks of which only some classes are given, and the masks that they follow.

    `number`: see PartialMaskSampler.
    """
    partial = PartialMaskSampler(sampler, given, number, [])
    images_MHW = generate_images(partial, slices, batch_size)
    return images_MHW, np.concatenate(partial.masks)


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
            given = GivenClasses(kept, n_classes, completer)
            images_MHW, masks_MHW = generate_from_partial_masks(sampler, given, slices, batch_size, number)
            variants.images[f"{condition}/{number}"] = images_MHW
            variants.masks[f"{condition}/{number}"] = masks_MHW
    return variants
