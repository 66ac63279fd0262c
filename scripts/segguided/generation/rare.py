"""Rare-case augmentation: more images of the masks that hold a rare class, beside the real ones.

Shape letters: N images, H height, W width.
"""

import numpy as np

from segguided.data.slices import SliceSet
from segguided.generation.partial_masks import partial_draw
from segguided.generation.sets import Draw, generate


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
