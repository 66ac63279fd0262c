"""Choosing some slices of a set, evenly spread."""

import numpy as np

from segguided.data.slices import SliceSet


def evenly_spread(slices: SliceSet, count: int) -> SliceSet:
    """At most `count` of the slices, evenly spread from the first to the last."""
    rows = np.linspace(0, len(slices) - 1, min(count, len(slices))).round().astype(int)
    return slices.where(np.isin(np.arange(len(slices)), rows).tolist())
