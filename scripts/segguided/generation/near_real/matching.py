"""Images with the grey values of another contrast, class by class: in their order first, then by place.

Shape letters: S slices, H height, W width, N pixels, P patients, K mask values, G grey levels (256).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segguided.data.slices import SliceSet, Stack
from segguided.generation.near_real.places import Correction, InOrder, correction_by_place

GREY_LEVELS = 256
FINE = 8  # parts of a grey level that ranks tell apart


def matched(slices: SliceSet, reference: SliceSet, n_classes: int) -> SliceSet:
    """The slices with the grey values of `reference`, the other contrast; no pair of images is needed.

    1. In each class, and outside all, each patient's grey values are exchanged rank by rank for those of the
       average patient of `reference`: order stays.
    2. Where the mean images of both say that the order is another one, it changes, see `places`. Patients of
       both sets have no part in that. The new order's ranks get the average patient's values again.
    Each channel is matched for itself. A class that `reference` lacks keeps its values.
    """
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


def _channels(stack: Stack) -> list[Stack]:
    """The stack's channels as stacks of grey images."""
    if stack.images_SHW.ndim == 3:
        return [stack]
    return [replace(stack, images_SHW=images_SHW) for images_SHW in np.moveaxis(stack.images_SHW, -1, 0)]


def _matched_channel(stacks: Sequence[Stack], reference: Sequence[Stack], n_values: int) -> list[np.ndarray]:
    """The matched images (S, H, W) uint8 of each stack."""
    wanted_KPG = [
        np.array([np.bincount(_pixels(stack, k), minlength=GREY_LEVELS) for stack in reference])
        for k in range(n_values)
    ]
    in_order = [_in_order(stack, wanted_KPG) for stack in stacks]
    names = {stack.patient for stack in stacks}
    others = [stack for stack in reference if stack.patient not in names]
    corrections = [correction_by_place(in_order, others, k) for k in range(n_values)]
    return [_by_place(patient, corrections, wanted_KPG) for patient in in_order]


def _pixels(stack: Stack, value: int) -> np.ndarray:
    """The grey values (N,) of the pixels with one mask value."""
    pixels_N: np.ndarray = stack.images_SHW[stack.masks_SHW == value]
    return pixels_N


def _in_order(stack: Stack, wanted_KPG: Sequence[np.ndarray]) -> InOrder:
    """The stack with its grey values exchanged rank by rank."""
    images_SHW = stack.images_SHW.astype(float)
    for k, wanted_PG in enumerate(wanted_KPG):
        images_SHW[stack.masks_SHW == k] = exchanged(_pixels(stack, k), wanted_PG)
    return InOrder(stack, images_SHW)


def _by_place(
    patient: InOrder, corrections: Sequence[Correction | None], wanted_KPG: Sequence[np.ndarray]
) -> np.ndarray:
    """The images (S, H, W) uint8 of a patient, whose order changes where there is a correction."""
    images_SHW = patient.images_SHW.copy()
    for k, correction in enumerate(corrections):
        if correction:
            corrected_N = correction.of(patient).clip(0, GREY_LEVELS - 1)
            levels_N = np.rint(FINE * corrected_N).astype(np.int64)
            images_SHW[patient.stack.masks_SHW == k] = exchanged(levels_N, wanted_KPG[k])
    return np.rint(images_SHW).astype(np.uint8)


def exchanged(levels_N: np.ndarray, wanted_PG: np.ndarray) -> np.ndarray:
    """The grey value (N,) float64 that takes each pixel's place: of the same rank in the average patient.

    `levels_N` are whole numbers from 0; a level stands for the middle of its ranks. `wanted_PG`: how often
    each patient has each grey level. Their average is the Wasserstein barycentre, the mean of the quantile
    functions, each with the weight of the patient's pixels: it varies as one patient does, not as all
    together. Without any pixel there, levels stay.
    """
    wanted_PG = wanted_PG[wanted_PG.sum(axis=1) > 0]
    if not len(levels_N) or not len(wanted_PG):
        return levels_N.astype(float)
    counts_L = np.bincount(levels_N)
    middle_L = (np.cumsum(counts_L) - counts_L / 2) / counts_L.sum()
    shares_PG = np.cumsum(wanted_PG, axis=1) / wanted_PG.sum(axis=1, keepdims=True)
    values_PL = [np.searchsorted(below_G, middle_L).clip(0, GREY_LEVELS - 1) for below_G in shares_PG]
    table_L = np.average(values_PL, axis=0, weights=wanted_PG.sum(axis=1))
    values_N: np.ndarray = table_L[levels_N]
    return values_N
