"""Extremes and percentiles of a volume's voxels without its padding; int16 values are counted, not sorted."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

NEGATIVE = 1 << 15  # bit patterns from here on are int16's negative numbers


def count_int16(array: np.ndarray) -> np.ndarray:
    """How many of the int16 values have each bit pattern, shape (65536,)."""
    bits = np.ascontiguousarray(array).view(np.uint16).ravel()
    return np.bincount(bits, minlength=1 << 16)


class Values:
    """All voxels except those equal to `padding`. `counts` are those of the int16 voxels, if known."""

    def __init__(
        self, array_zyx: np.ndarray, padding: float | None = None, counts: np.ndarray | None = None
    ) -> None:
        """Reads no voxel yet, except in padded float volumes."""
        self._is_int16 = array_zyx.dtype == np.int16
        self._given_counts = counts
        self._padding = padding
        keeps_all = padding is None or self._is_int16
        self._array = array_zyx if keeps_all else array_zyx[array_zyx != padding]

    @cached_property
    def _ascending_counts(self) -> np.ndarray:
        """How many int16 voxels have each value, from -32768 on."""
        counts = self._given_counts
        if counts is None:
            # One slice at a time, so that the volume is not copied.
            counts = np.zeros(1 << 16, np.int64)
            for slice_yx in self._array:
                counts += count_int16(slice_yx)
        ascending = np.roll(counts, NEGATIVE)
        if self._padding is not None:
            ascending[int(self._padding) + NEGATIVE] = 0
        return ascending

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value; NaN when there is no voxel."""
        if self._is_int16 and (self._given_counts is not None or self._padding is not None):
            used = np.flatnonzero(self._ascending_counts) - NEGATIVE
            return (float(used[0]), float(used[-1])) if len(used) else (np.nan, np.nan)
        if not self._array.size:
            return np.nan, np.nan
        return float(self._array.min()), float(self._array.max())

    def percentiles(self, percents: Sequence[float]) -> list[float]:
        """The same numbers as numpy.percentile."""
        if not self._is_int16:
            return [float(value) for value in np.percentile(self._array, percents)]
        # Voxels with this value or a lower one.
        cumulated = np.cumsum(self._ascending_counts)
        last = int(cumulated[-1]) - 1
        places = np.asarray(percents) / 100 * last
        ranks = np.floor(places).astype(np.int64)
        first = _value_at(cumulated, ranks)
        second = _value_at(cumulated, np.minimum(ranks + 1, last))
        share = places - ranks
        step = second - first
        # The order of numpy's own interpolation, which decides the last bit.
        values = np.where(share < 0.5, first + step * share, second - step * (1 - share))
        return [float(value) for value in values]


def _value_at(cumulated: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """The values of these ranks, counted from 0, among the voxels in ascending order."""
    return np.searchsorted(cumulated, ranks, side="right").astype(np.float64) - NEGATIVE
