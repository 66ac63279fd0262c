"""What new masks must share with the real ones that hold the rare class.

Shape letters: M masks, K mask values (0 is background), H height, W width.
"""

from functools import cached_property

import numpy as np


class RealMasks:
    """The real masks (M, H, W) that hold a rare class, their ids, and what is common to them."""

    def __init__(self, masks_MHW: np.ndarray, names: list[str], rare_class: int, n_classes: int) -> None:
        self.masks_MHW = masks_MHW
        self.names = names
        self.rare_class = rare_class
        self.n_values = n_classes + 1

    @cached_property
    def areas_of_masks(self) -> np.ndarray:
        """Pixels of each value in each mask."""
        return np.stack([areas(mask_HW, self.n_values) for mask_HW in self.masks_MHW])

    @cached_property
    def borders_of_masks(self) -> np.ndarray:
        """See `borders`, for each mask."""
        return np.stack([borders(mask_HW, self.n_values) for mask_HW in self.masks_MHW])

    @cached_property
    def surroundings(self) -> int:
        """The value that shares the longest border with the rare class: what it lies in."""
        return int(self.borders_of_masks.sum(axis=0)[self.rare_class].argmax())

    def allows(self, mask_HW: np.ndarray) -> bool:
        """Whether a new mask could be real: it is no copy, its areas and its nesting are those of real ones.

        Each class's area lies in the range of the real masks, and the share of its border that it has with
        another one is not larger than in any of them. So a class in another one stays in it.
        """
        areas_K = areas(mask_HW, self.n_values)
        in_range_K = (self.areas_of_masks.min(axis=0) <= areas_K) & (
            areas_K <= self.areas_of_masks.max(axis=0)
        )
        largest_KK = border_shares(self.borders_of_masks).max(axis=0)
        nested = border_shares(borders(mask_HW, self.n_values)) <= largest_KK
        is_copy = (self.masks_MHW == mask_HW).all(axis=(1, 2)).any()
        return bool(areas_K[self.rare_class] and in_range_K.all() and nested.all() and not is_copy)


def areas(mask_HW: np.ndarray, n_values: int) -> np.ndarray:
    """Pixels of each mask value (K,)."""
    return np.bincount(mask_HW.ravel(), minlength=n_values)


def borders(mask_HW: np.ndarray, n_values: int) -> np.ndarray:
    """How often two different values are neighbours, below or beside one another: (K, K), symmetric."""
    counts_KK = np.zeros((n_values, n_values), int)
    for first, second in ((mask_HW[1:], mask_HW[:-1]), (mask_HW[:, 1:], mask_HW[:, :-1])):
        np.add.at(counts_KK, (first.ravel(), second.ravel()), 1)
    counts_KK = counts_KK + counts_KK.T
    np.fill_diagonal(counts_KK, 0)
    return counts_KK


def border_shares(borders_KK: np.ndarray) -> np.ndarray:
    """Of each value's border (second last axis) the share with each other value; 0 where it has no border."""
    lengths = borders_KK.sum(axis=-1, keepdims=True)
    shares: np.ndarray = borders_KK / np.maximum(lengths, 1)
    return shares
