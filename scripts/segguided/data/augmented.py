"""Real slices and, beside them, images generated from their masks."""

from collections.abc import Sequence

import numpy as np

from segguided.data.slices import SliceSet, Stack


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
