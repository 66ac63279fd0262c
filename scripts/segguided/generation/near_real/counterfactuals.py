"""Counterfactual images: what a patient's image would be, were the mask another one.

With x0 the real image and m its mask, a(m') is the image of the edited mask m' that starts from the noised
x0. Where the edit changes the mask it is taken as it is; elsewhere the real image stays, as far as λ says:

    a(m') + λ (1 − w) (x0 − a(m)),    w: 1 where m' differs from m, falling to 0 within some pixels.

a(m) is the model's image of the real mask, with the same noise: outside the edit only that changes which the
model itself changes with the mask.

Shape letters: M masks, H height, W width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from segguided.config.experiments import Counterfactuals, Edit
from segguided.data.slices import SliceSet
from segguided.data.spread import evenly_spread
from segguided.generation.near_real.edits import Editor, surroundings_of
from segguided.generation.near_real.names import alone_of, near_of
from segguided.generation.near_real.start import RealStart, with_masks
from segguided.generation.partial_masks import Variants

BORDER = 1.0  # pixels: standard deviation of the smoothing of w


@dataclass(frozen=True)
class EditedMasks:
    """Test slices, and by edit their edited masks (M, H, W)."""

    slices: SliceSet
    masks: Mapping[Edit, np.ndarray]


def edit_masks(
    test: SliceSet, donors: SliceSet, value: int, n_classes: int, settings: Counterfactuals
) -> EditedMasks:
    """At most `settings.masks` of the test slices, evenly spread over those that allow each edit of a class.

    `donors`: slices of other patients, whose class the edit `other` takes. Raises ValueError where no mask
    allows all edits.
    """
    masks_SHW = test.masks
    holds = [mask_HW for mask_HW in masks_SHW if (mask_HW == value).any()]
    if not holds:
        raise ValueError(
            f"expected test masks that hold class {value}, which is to be edited, but none does; name "
            "another one in applications.counterfactuals.classes"
        )
    distance = max(1.0, settings.distance * masks_SHW.shape[-1])
    editor = Editor(value, surroundings_of(holds, value, n_classes), distance, donors.masks)
    edited = [_edits(editor, mask_HW, settings.edits) for mask_HW in masks_SHW]
    possible = [len(edits) == len(settings.edits) for edits in edited]
    if not any(possible):
        counts = {edit: sum(edit in edits for edits in edited) for edit in settings.edits}
        found = ", ".join(f"{edit} {count}" for edit, count in counts.items())
        raise ValueError(
            f"expected a test mask that allows each edit of class {value}, but of {len(masks_SHW)} masks as "
            f"many allow: {found}; lower applications.counterfactuals.distance, or name fewer edits or "
            "another class there"
        )
    chosen = evenly_spread(test.where(possible), settings.masks)
    of_name = dict(zip(test.names, edited, strict=True))
    masks = {edit: np.stack([of_name[name][edit] for name in chosen.names]) for edit in settings.edits}
    return EditedMasks(chosen, masks)


def _edits(editor: Editor, mask_HW: np.ndarray, edits: Sequence[Edit]) -> dict[Edit, np.ndarray]:
    """The edited masks (H, W) of those edits that the mask allows."""
    edited = {edit: editor.edited(mask_HW, edit) for edit in edits}
    return {edit: new_HW for edit, new_HW in edited.items() if new_HW is not None}


def counterfactual_images(start: RealStart, edited: EditedMasks, share: float) -> Variants:
    """The variants `edit/near`, `edit/alone/0` and `edit/alone/1` of each edit, with their masks."""
    slices = edited.slices
    (same_MHW,) = start.images(slices, [share])
    variants = Variants({}, {})
    for edit, masks_MHW in edited.masks.items():
        changed = with_masks(slices, masks_MHW)
        (alone_MHW,) = start.images(changed, [0.0])
        (from_real_MHW,) = start.images(changed, [share], real_masks_MHW=slices.masks)
        (other_MHW,) = start.images(changed, [0.0], number=1)
        weight_MHW = share * (1 - edited_weight(slices.masks, masks_MHW))
        if slices.channels > 1:
            weight_MHW = weight_MHW[..., np.newaxis]
        near_MHW = from_real_MHW + weight_MHW * (slices.images.astype(float) - same_MHW)
        images = {near_of(edit): np.rint(near_MHW.clip(0, 255)).astype(np.uint8)}
        images |= {alone_of(edit, 0): alone_MHW, alone_of(edit, 1): other_MHW}
        for variant, images_MHW in images.items():
            variants.images[variant] = images_MHW
            variants.masks[variant] = masks_MHW
    return variants


def edited_weight(masks_MHW: np.ndarray, edited_MHW: np.ndarray) -> np.ndarray:
    """w (M, H, W): 1 where the masks differ, falling to 0 within some pixels."""
    differs_MHW = masks_MHW != edited_MHW
    smooth_MHW = gaussian_filter(differs_MHW.astype(float), (0, BORDER, BORDER))
    return np.where(differs_MHW, 1.0, smooth_MHW)
