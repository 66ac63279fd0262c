"""Images with the grey values of another contrast, class by class: in their order first, then by place.

Shape letters: S slices, H height, W width, N pixels, P patients, K mask values, G grey levels (256),
L levels of any number.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segguided.data.slices import SliceSet, Stack
from segguided.generation.near_real.places import (
    Correction,
    InOrder,
    corrected_images,
    corrections_by_place,
)

GREY_LEVELS = 256
FINE = 8  # parts of a grey level that ranks tell apart


def matched(slices: SliceSet, reference: SliceSet, n_classes: int) -> SliceSet:
    """The slices with the grey values of `reference`, the other contrast; no pair of images is needed.

    1. In each class, and outside all, each patient's grey values are exchanged rank by rank for those of the
       average patient of `reference`: order stays.
    2. Where the mean images of both say that the order is another one, it changes, see `places`. Patients of
       both sets have no part in that. The new order's ranks get the average patient's values again.
    Each channel is matched for itself. A class that `reference` lacks keeps its values. Raises ValueError for
    masks with values above `n_classes`.
    """
    _check_values(slices, n_classes, "to be matched")
    _check_values(reference, n_classes, "to match them with")
    by_channel = zip(*(_channels(stack) for stack in slices.stacks), strict=True)
    reference_by_channel = zip(*(_channels(stack) for stack in reference.stacks), strict=True)
    channels = [
        _matched_channel(stacks, wanted, n_classes + 1)
        for stacks, wanted in zip(by_channel, reference_by_channel, strict=True)
    ]
    images = [
        of_stack[0] if len(of_stack) == 1 else np.stack(of_stack, axis=-1)
        for of_stack in zip(*channels, strict=True)
    ]
    pairs = zip(slices.stacks, images, strict=True)
    return SliceSet([replace(stack, images_SHW=images_SHW) for stack, images_SHW in pairs])


def _check_values(slices: SliceSet, n_classes: int, role: str) -> None:
    found: set[int] = set()
    for mask_HW in (mask_HW for stack in slices.stacks for mask_HW in stack.masks_SHW):
        if mask_HW.max() > n_classes:
            found.update(np.unique(mask_HW[mask_HW > n_classes]).tolist())
    if found:
        raise ValueError(
            f"expected masks with values from 0 to {n_classes}, the model's number of classes, but those of "
            f"the slices {role} hold {', '.join(map(str, sorted(found)))}; give each class a value of the "
            "model's (--values), or prepare the slices with the model's classes"
        )


def _channels(stack: Stack) -> list[Stack]:
    """The stack's channels as stacks of grey images."""
    if stack.images_SHW.ndim == 3:
        return [stack]
    return [replace(stack, images_SHW=images_SHW) for images_SHW in np.moveaxis(stack.images_SHW, -1, 0)]


def _matched_channel(stacks: Sequence[Stack], reference: Sequence[Stack], n_values: int) -> list[np.ndarray]:
    """The matched images (S, H, W) uint8 of each stack."""
    wanted_PKG = np.array([histograms(stack.images_SHW, stack, n_values, GREY_LEVELS) for stack in reference])
    in_order = [_in_order(stack, wanted_PKG) for stack in stacks]
    names = {stack.patient for stack in stacks}
    others = [stack for stack in reference if stack.patient not in names]
    corrections = corrections_by_place(in_order, others, n_values)
    return [_by_place(patient, corrections, wanted_PKG) for patient in in_order]


def histograms(levels_SHW: np.ndarray, stack: Stack, n_values: int, n_levels: int) -> np.ndarray:
    """How often each level is in the pixels of each mask value of `stack`, (K, L); slice by slice."""
    counts = np.zeros(n_values * n_levels, np.int64)
    for levels_HW, mask_HW in zip(levels_SHW, stack.masks_SHW, strict=True):
        counts += np.bincount((mask_HW.astype(int) * n_levels + levels_HW).ravel(), minlength=counts.size)
    return counts.reshape(n_values, n_levels)


def _in_order(stack: Stack, wanted_PKG: np.ndarray) -> InOrder:
    """The stack with its grey values exchanged rank by rank."""
    counts_KG = histograms(stack.images_SHW, stack, wanted_PKG.shape[1], GREY_LEVELS)
    tables = [exchange_table(counts_G, wanted_PKG[:, k]) for k, counts_G in enumerate(counts_KG)]
    return InOrder(stack, np.array(tables))


def _by_place(
    patient: InOrder, corrections: Sequence[Correction | None], wanted_PKG: np.ndarray
) -> np.ndarray:
    """The images (S, H, W) uint8 of a patient, whose order changes where there is a correction."""
    masks_SHW = patient.stack.masks_SHW
    images_SHW = np.empty(masks_SHW.shape, np.uint8)
    for z, image_HW in enumerate(patient.images()):
        images_SHW[z] = np.rint(image_HW)
    if not any(corrections):
        return images_SHW
    levels_SHW = np.empty(masks_SHW.shape, np.uint16)
    for z, corrected_HW in enumerate(corrected_images(patient, corrections)):
        levels_SHW[z] = np.rint(FINE * corrected_HW.clip(0, GREY_LEVELS - 1))
    counts_KL = histograms(levels_SHW, patient.stack, len(corrections), FINE * (GREY_LEVELS - 1) + 1)
    for k, correction in enumerate(corrections):
        if correction:
            table_L = np.rint(exchange_table(counts_KL[k], wanted_PKG[:, k])).astype(np.uint8)
            for image_HW, levels_HW, mask_HW in zip(images_SHW, levels_SHW, masks_SHW, strict=True):
                image_HW[mask_HW == k] = table_L[levels_HW[mask_HW == k]]
    return images_SHW


def exchange_table(counts_L: np.ndarray, wanted_PG: np.ndarray) -> np.ndarray:
    """The grey value (L,) float64 that takes each level's place: of the same rank in the average patient.

    `counts_L`: how many pixels have each level, a whole number from 0; a level stands for the middle of its
    ranks. `wanted_PG`: how often each patient has each grey level. Their average is the Wasserstein
    barycentre, the mean of the quantile functions, each with the weight of the patient's pixels: it varies as
    one patient does, not as all together. Without any pixel there, or here, levels stay.
    """
    wanted_PG = wanted_PG[wanted_PG.sum(axis=1) > 0]
    if not counts_L.any() or not len(wanted_PG):
        return np.arange(float(len(counts_L)))
    middle_L = (np.cumsum(counts_L) - counts_L / 2) / counts_L.sum()
    shares_PG = np.cumsum(wanted_PG, axis=1) / wanted_PG.sum(axis=1, keepdims=True)
    values_PL = [np.searchsorted(below_G, middle_L).clip(0, GREY_LEVELS - 1) for below_G in shares_PG]
    table_L: np.ndarray = np.average(values_PL, axis=0, weights=wanted_PG.sum(axis=1))
    return table_L
