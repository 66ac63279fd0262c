"""Which class of a set of masks is rare, measured by its pixels."""

from collections.abc import Mapping

import numpy as np


def rarest(pixels: Mapping[str, int]) -> str | None:
    """The class with the fewest pixels, of those that have any; the first of several. None where none has.

    The pixels of a class, over all slices of a split, are few where it is small or where few slices show it.
    """
    shown = {name: count for name, count in pixels.items() if count > 0}
    return min(shown, key=lambda name: shown[name]) if shown else None


def rarest_class(masks_SHW: np.ndarray, n_classes: int) -> int:
    """The same as the value in the masks (from 1). Raises ValueError where no mask holds a class."""
    counts_C = _pixels(masks_SHW, n_classes)
    name = rarest({str(value): int(count) for value, count in enumerate(counts_C, start=1)})
    if name is None:
        raise ValueError(
            f"expected masks that hold a class, but {len(masks_SHW)} held-out masks are all background, so "
            "no rare case can be generated; check the masks and the labels of the classes"
        )
    return int(name)


def shares(masks_SHW: np.ndarray, n_classes: int) -> np.ndarray:
    """Of all labelled pixels the share of each class, (n_classes,)."""
    counts_C = _pixels(masks_SHW, n_classes)
    shares_C: np.ndarray = counts_C / max(1, counts_C.sum())
    return shares_C


def _pixels(masks_SHW: np.ndarray, n_classes: int) -> np.ndarray:
    """The number of pixels of each class, (n_classes,)."""
    return np.bincount(masks_SHW.ravel(), minlength=n_classes + 1)[1:]
