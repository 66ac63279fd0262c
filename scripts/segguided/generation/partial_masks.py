"""Partial masks: some classes kept, the rest set to background, for sampling; and test masks to show it on.

Shape letters: S slices, M masks, B batch, H height, W width.
"""

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from segguided.config.reserved import FULL
from segguided.data.slices import SliceSet
from segguided.generation.sets import Draw, generate
from segguided.generation.variants import condition


def keep_classes(masks_BHW: Tensor, kept: Collection[int]) -> Tensor:
    """The integer masks with every class outside `kept` set to 0."""
    kept_K = torch.tensor(sorted(kept), dtype=masks_BHW.dtype, device=masks_BHW.device)
    return torch.where(torch.isin(masks_BHW, kept_K), masks_BHW, torch.zeros_like(masks_BHW))


def spread_slices(slices: SliceSet, count: int) -> SliceSet:
    """`count` slices, spread evenly over those whose mask holds two classes or more (all where fewer do).

    Chosen by the masks alone, so every model and seed is shown on the same ones.
    """
    several = [np.unique(mask_HW).astype(bool).sum() > 1 for s in slices.stacks for mask_HW in s.masks_SHW]
    candidates = np.flatnonzero(several)
    if not len(candidates):
        raise ValueError("no test mask holds two classes, so none can be kept in part; check the masks")
    places = np.linspace(0, len(candidates) - 1, min(count, len(candidates))).round().astype(int)
    return slices.where(np.isin(np.arange(len(slices)), candidates[places]).tolist())


def partial_draw(draw: Draw, kept: Collection[int], number: int = 0) -> Draw:
    """`draw` from masks of which only the classes `kept` are left, for the `number`-th time.

    The first draw uses the noise of the mask id itself, each further one noise of its own.
    """

    def drawn(masks_BHW: Tensor, names: Sequence[str]) -> Tensor:
        keys = names if number == 0 else [f"{name}#{number}" for name in names]
        return draw(keep_classes(masks_BHW, kept), keys)

    return drawn


def draw_partial(
    draw: Draw,
    slices: SliceSet,
    n_classes: int,
    partial_masks: Sequence[Sequence[int]],
    draws: int,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Images (M, H, W) of the variants `condition/number`: the full mask (`all`), then each partial mask.

    `partial_masks`: mask values of the kept classes.
    """
    conditions: dict[str, Sequence[int]] = {FULL: range(1, n_classes + 1)}
    conditions |= {condition(kept): kept for kept in partial_masks}
    return {
        f"{name}/{number}": generate(partial_draw(draw, kept, number), slices, batch_size)
        for name, kept in conditions.items()
        for number in range(draws)
    }
