"""Images whose grey values in each class are those of another contrast, rank by rank.

Shape letters: S slices, H height, W width, K mask values, G grey levels (256).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segguided.data.slices import SliceSet, Stack

GREY_LEVELS = 256


def matched(slices: SliceSet, reference: SliceSet, n_classes: int) -> SliceSet:
    """The slices with each patient's grey values in each class, and outside all, exchanged rank by rank.

    A value that a share of a patient's pixels in a class lies below becomes the value that as large a share
    of the pixels of that class in `reference` lies below. A class that these lack keeps its values.
    """
    by_channel = zip(*(_channels(stack) for stack in reference.stacks), strict=True)
    wanted = [_counts(stacks, n_classes + 1) for stacks in by_channel]
    return SliceSet([_matched_stack(stack, wanted) for stack in slices.stacks])


def _matched_stack(stack: Stack, wanted: Sequence[np.ndarray]) -> Stack:
    """The stack with each channel's grey values exchanged; `wanted` are the counts of each channel."""
    images = [
        _matched_images(channel, wanted_KG)
        for channel, wanted_KG in zip(_channels(stack), wanted, strict=True)
    ]
    images_SHW = images[0] if len(images) == 1 else np.stack(images, axis=-1)
    return replace(stack, images_SHW=images_SHW)


def _matched_images(stack: Stack, wanted_KG: np.ndarray) -> np.ndarray:
    tables_KG = [
        exchange_table(counts_G, wanted_G)
        for counts_G, wanted_G in zip(_counts([stack], len(wanted_KG)), wanted_KG, strict=True)
    ]
    matched_SHW: np.ndarray = np.stack(tables_KG)[stack.masks_SHW, stack.images_SHW]
    return matched_SHW


def _channels(stack: Stack) -> list[Stack]:
    """The stack's channels as stacks of grey images."""
    if stack.images_SHW.ndim == 3:
        return [stack]
    return [replace(stack, images_SHW=images_SHW) for images_SHW in np.moveaxis(stack.images_SHW, -1, 0)]


def _counts(stacks: Sequence[Stack], n_values: int) -> np.ndarray:
    """How many pixels of each mask value have each grey level, (K, G)."""
    counts_KG = np.zeros((n_values, GREY_LEVELS), np.int64)
    for stack in stacks:
        places = stack.masks_SHW.astype(np.int64) * GREY_LEVELS + stack.images_SHW
        counts_KG += np.bincount(places.ravel(), minlength=counts_KG.size).reshape(counts_KG.shape)
    return counts_KG


def exchange_table(counts_G: np.ndarray, wanted_G: np.ndarray) -> np.ndarray:
    """The grey level (G,) uint8 that takes each one's place, from how often each occurs and should.

    A level stands for the middle of its ranks. Without any pixel on either side, levels stay.
    """
    if not counts_G.sum() or not wanted_G.sum():
        return np.arange(GREY_LEVELS, dtype=np.uint8)
    middle_G = (np.cumsum(counts_G) - counts_G / 2) / counts_G.sum()
    below_G = np.cumsum(wanted_G) / wanted_G.sum()
    return np.searchsorted(below_G, middle_G).clip(0, GREY_LEVELS - 1).astype(np.uint8)
