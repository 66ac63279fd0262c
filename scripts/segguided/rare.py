"""Rare-case augmentation: more images of the masks that hold a rare class, beside the real ones.

Shape letters: N images, H height, W width.
"""

from collections.abc import Sequence

import numpy as np

from segguided.data.slices import SliceSet, Stack
from segguided.generation import Draw, generate
from segguided.partial import partial_draw


def draw_rare(
    draw: Draw, slices: SliceSet, rare: int, n_classes: int, count: int, batch_size: int
) -> tuple[np.ndarray, list[str]]:
    """`count` images (N, H, W) of the masks that hold class `rare`, and their ids `mask id/number`.

    Each mask is drawn equally often (to within one), each time from noise of its own. ValueError where none
    holds the class.
    """
    holds = [bool((mask_HW == rare).any()) for stack in slices.stacks for mask_HW in stack.masks_SHW]
    if not any(holds):
        raise ValueError(
            f"no held-out mask holds the rare class ({rare}), so nothing can be drawn from it; "
            "name another class"
        )
    images, ids, left, number = [], [], count, 0
    while left:
        chosen = _spread(slices.where(holds), left)
        images.append(generate(partial_draw(draw, range(1, n_classes + 1), number), chosen, batch_size))
        ids += [f"{name}/{number}" for name in chosen.names]
        left, number = left - len(chosen), number + 1
    return np.concatenate(images), ids


def _spread(slices: SliceSet, count: int) -> SliceSet:
    """At most `count` of the slices, evenly spread."""
    places = np.linspace(0, len(slices) - 1, min(count, len(slices))).round().astype(int)
    return slices.where(np.isin(np.arange(len(slices)), places).tolist())


def with_drawn(slices: SliceSet, images_NHW: np.ndarray, ids: Sequence[str]) -> SliceSet:
    """`slices` and, as patients of their own, the images drawn from their masks (`ids`: `mask id/number`)."""
    masks = {
        name: mask_HW
        for stack in slices.stacks
        for name, mask_HW in zip(stack.names, stack.masks_SHW, strict=True)
    }
    unknown = sorted({one.rsplit("/", 1)[0] for one in ids} - masks.keys())
    if unknown:
        raise ValueError(
            f"the drawn set holds {unknown[0]}, which is no mask of these slices; generate it again"
        )
    masks_NHW = np.stack([masks[one.rsplit("/", 1)[0]] for one in ids])
    drawn = Stack("drawn", images_NHW, masks_NHW, np.zeros(len(ids)), slices.stacks[0].provenance)
    return SliceSet([*slices.stacks, drawn])
