"""Real slices and, beside them, images generated from their masks."""

from collections.abc import Sequence

import numpy as np

from segguided.data.slices import SliceSet, Stack

PATIENT = "generated"  # the patient name of the generated images


def with_generated(slices: SliceSet, images_NHW: np.ndarray, ids: Sequence[str]) -> SliceSet:
    """`slices` and, as one more patient, the images generated from their masks.

    Each id is "mask id/number". Raises ValueError for an image whose mask is not in `slices`.
    """
    masks = {
        name: mask_HW
        for stack in slices.stacks
        for name, mask_HW in zip(stack.names, stack.masks_SHW, strict=True)
    }
    mask_ids = [image_id.rsplit("/", 1)[0] for image_id in ids]
    unknown = sorted(set(mask_ids) - masks.keys())
    if unknown:
        raise ValueError(
            f"the generated set holds {unknown[0]}, which is no mask of these slices; generate it again"
        )
    masks_NHW = np.stack([masks[mask_id] for mask_id in mask_ids])
    positions_N = np.zeros(len(ids))
    generated = Stack(PATIENT, images_NHW, masks_NHW, positions_N, slices.stacks[0].provenance)
    return SliceSet([*slices.stacks, generated])
