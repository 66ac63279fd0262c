"""Classes divided by grey value into tissues, as body is into gas, fat and soft tissue.

Mask values 0 (outside) to K are the classes. The first part of a class, the darkest, keeps its value;
further parts have values from K + 1 on.

Shape letters: S slices, H height, W width, C channels, V grey values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.ndimage import median_filter

from segguided.config.models.tissues import Tissues
from segguided.data.slices import SliceSet

GREY_VALUES = 256


@dataclass(frozen=True)
class Division:
    """Which classes are divided, and between which grey values.

    `cuts`: for the value of each divided class the least grey value of its second, third … part.
    """

    n_classes: int
    cuts: dict[int, tuple[int, ...]]
    filter_size: int

    @property
    def classes(self) -> tuple[int, ...]:
        """The class of each tissue, by the tissue's mask value."""
        further = [value for value in sorted(self.cuts) for _ in self.cuts[value]]
        return (*range(self.n_classes + 1), *further)

    def of(self, images_SHW: np.ndarray, masks_SHW: np.ndarray) -> np.ndarray:
        """Masks of tissues, (S, H, W) uint8, of images (S, H, W) or (S, H, W, C) and masks of classes."""
        grey_SHW = _smooth(images_SHW, self.filter_size)
        tissues_SHW = masks_SHW.copy()
        further = self.n_classes + 1
        for value in sorted(self.cuts):
            part_SHW = np.digitize(grey_SHW, self.cuts[value])
            is_further_SHW = (masks_SHW == value) & (part_SHW > 0)
            tissues_SHW[is_further_SHW] = further - 1 + part_SHW[is_further_SHW]
            further += len(self.cuts[value])
        return tissues_SHW

    def divide(self, slices: SliceSet) -> SliceSet:
        """The same slices with masks of tissues."""
        return SliceSet(
            [
                replace(stack, masks_SHW=self.of(np.asarray(stack.images_SHW), np.asarray(stack.masks_SHW)))
                for stack in slices.stacks
            ]
        )

    def to_entry(self) -> dict[str, Any]:
        """What config.json says of it, see `from_entry`."""
        cuts = {str(value): list(cuts) for value, cuts in self.cuts.items()}
        return {"n_classes": self.n_classes, "cuts": cuts, "filter_size": self.filter_size}

    @classmethod
    def from_entry(cls, entry: dict[str, Any]) -> "Division":
        """The division that `to_entry` wrote down."""
        cuts = {int(value): tuple(cuts) for value, cuts in entry["cuts"].items()}
        return cls(entry["n_classes"], cuts, entry["filter_size"])


def choose_division(slices: SliceSet, n_classes: int, settings: Tissues) -> Division:
    """The division of the classes, and of what lies outside them, by the training slices.

    Each class of `least_share` of all pixels is divided so that grey values differ least from the mean of
    their part. Raises ValueError where a mask cannot hold so many values.
    """
    counts_KV = np.zeros((n_classes + 1, GREY_VALUES), np.int64)
    for stack in slices.stacks:
        grey_SHW = _smooth(np.asarray(stack.images_SHW), settings.filter_size)
        cells = np.asarray(stack.masks_SHW).astype(np.int64) * GREY_VALUES + grey_SHW
        counts_KV += np.bincount(cells.ravel(), minlength=counts_KV.size).reshape(counts_KV.shape)
    shares_K = counts_KV.sum(1) / counts_KV.sum()
    cuts = {
        value: _cuts(counts_KV[value], settings.parts)
        for value in range(n_classes + 1)
        if shares_K[value] >= settings.least_share
    }
    found = {value: of_class for value, of_class in cuts.items() if of_class}
    division = Division(n_classes, found, settings.filter_size)
    if len(division.classes) > GREY_VALUES:
        raise ValueError(
            f"tissues: {len(cuts)} of {n_classes + 1} classes in {settings.parts} parts each are "
            f"{len(division.classes)} mask values, but a mask holds {GREY_VALUES}; lower parts, or raise "
            "least_share"
        )
    return division


def _smooth(images_SHW: np.ndarray, size: int) -> np.ndarray:
    """Grey values (S, H, W) uint8 without noise: of several channels their mean, then a median filter."""
    if images_SHW.ndim == 4:
        images_SHW = np.rint(images_SHW.mean(-1)).astype(np.uint8)
    return np.asarray(median_filter(images_SHW, size=(1, size, size)))


def _cuts(counts_V: np.ndarray, parts: int) -> tuple[int, ...]:
    """The least grey value of each part but the first: least squared distances to the parts' means.

    k-means of numbers, solved exactly (Fisher, JASA 1958). Without as many different grey values: no part is
    empty.
    """
    parts = min(parts, int(np.count_nonzero(counts_V)))
    if parts < 2:
        return ()
    cost_VV = _costs(counts_V.astype(np.float64))
    least_V = cost_VV[0]  # of the values below v in one part
    first_starts: list[np.ndarray] = []  # where the last part begins
    for _ in range(parts - 1):
        totals_VV = least_V[:, None] + cost_VV
        first_starts.append(totals_VV.argmin(0))
        least_V = totals_VV.min(0)
    return _starts(first_starts)


def _starts(first_starts: Sequence[np.ndarray]) -> tuple[int, ...]:
    end = GREY_VALUES
    starts = []
    for start_V in reversed(first_starts):
        end = int(start_V[end])
        starts.append(end)
    return tuple(reversed(starts))


def _costs(counts_V: np.ndarray) -> np.ndarray:
    """[a, b]: squared distances to their mean, summed, of the values from a to below b; ∞: there is none."""
    values_V = np.arange(GREY_VALUES)
    numbers, sums, squares = (
        np.concatenate([[0.0], np.cumsum(counts_V * values_V**power)]) for power in (0, 1, 2)
    )
    n_VV = numbers[None, :] - numbers[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        cost_VV = (squares[None, :] - squares[:, None]) - (sums[None, :] - sums[:, None]) ** 2 / n_VV
    return np.where(n_VV > 0, np.maximum(cost_VV, 0), np.inf)
