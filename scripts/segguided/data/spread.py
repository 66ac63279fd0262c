"""Choosing some slices of a set, evenly spread."""

import numpy as np

from segguided.data.slices import SliceSet


def evenly_spread(slices: SliceSet, count: int) -> SliceSet:
    """At most `count` of the slices, evenly spread from the first to the last."""
    rows = spread_rows(len(slices), count)
    return slices.where(np.isin(np.arange(len(slices)), rows).tolist())


def spread_rows(available: int, count: int) -> list[int]:
    """At most `count` of the numbers from 0 to `available` - 1, evenly spread from the first to the last."""
    rows = np.linspace(0, available - 1, min(count, available)).round().astype(int)
    return [int(row) for row in rows]
