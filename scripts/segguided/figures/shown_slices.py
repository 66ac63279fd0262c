"""Which slices of a set a figure shows, by their masks alone. Shape suffixes: S slices, H and W pixels."""

from collections.abc import Collection, Iterable

import numpy as np


def choose_slices(masks_SHW: Iterable[np.ndarray], n: int, without: Collection[int] = ()) -> list[int]:
    """Indices of n slices that show the set, chosen by their masks alone; all such slices if there are fewer.

    Indices in `without` are left out. The other slices with any class are cut into n parts, in order. Each
    part gives the slice with the most classes that earlier parts have not shown; of equals, the slice with
    the most classes; of equals again, the slice nearest to the middle of the part.
    """
    present = {i: set(np.unique(mask_HW).tolist()) - {0} for i, mask_HW in enumerate(masks_SHW)}
    candidates = [i for i, classes in present.items() if classes and i not in without]
    if not candidates:
        raise _no_slice(len(without))
    chosen: list[int] = []
    shown: set[int] = set()
    for part in np.array_split(candidates, min(n, len(candidates))):
        middle = (part[0] + part[-1]) / 2
        ranks = {int(i): (len(present[i] - shown), len(present[i]), -abs(i - middle)) for i in part}
        chosen.append(max(ranks, key=ranks.__getitem__))
        shown |= present[chosen[-1]]
    return chosen


def random_slices(masks_SHW: Iterable[np.ndarray], n: int, seed: int, skip: int = 0) -> list[int]:
    """Indices of n slices with any class, drawn at random without repetition; in order of their indices.

    `skip` is the number of slices that another figure draws with the same seed: these are left out. Fewer
    than n where there are no more. Raises ValueError where none is left.
    """
    candidates = [i for i, mask_HW in enumerate(masks_SHW) if mask_HW.any()]
    drawn = np.random.default_rng(seed).permutation(candidates)[skip : skip + n]
    if not len(drawn):
        raise _no_slice(skip)
    return sorted(drawn.tolist())


def _no_slice(shown_elsewhere: int) -> ValueError:
    except_shown = f" but for {shown_elsewhere} that another figure shows" if shown_elsewhere else ""
    return ValueError(f"no mask holds any class{except_shown}, so there is no slice to draw")
