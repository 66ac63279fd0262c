"""Diversity: how much images of one mask vary, over how much real patients vary where they show the same.

With d the difference of two images, in grey levels, and 4×4 cells b with n_b pixels of class k, variation is

    V_k = Σ_b n_b (d̄_b² − s_b²/n_b) / Σ_b n_b,    diversity = √(V_k of generated pairs / V_k of real pairs),

where d̄_b and s_b² are mean and variance of d over these n_b pixels. The mean of n_b pixels with white noise
has the variance s_b²/n_b, so taking it off leaves what varies more broadly: white noise adds nothing.
Of images of several channels, the sums run over the channels too.

Shape letters: K images of a mask, M masks, P pairs, S slices, H height, W width, C foreground classes.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from segguided.config.reserved import MACRO
from segguided.data.slices import SliceSet, Stack
from segguided.evaluation.dice import nan_mean, ratio
from segguided.evaluation.likeness.limits import MOST
from segguided.evaluation.records import Record, unit_entries

CELL = 4  # pixels a side
LEAST_PIXELS = 4  # of the class, for a cell to count
LEAST_REAL = 1.0  # V of real pairs, in squared grey levels; below it real patients do not vary
GRID = 16  # cells a side, in which masks are compared
OUTSIDE = "outside"  # the pixels of no class


def diversity_record(
    images_KMHW: np.ndarray,
    chosen: SliceSet,
    reference: SliceSet,
    class_names: Sequence[str],
    units: Mapping[str, np.ndarray],
) -> Record:
    """Table 3, keys likeness.diversity.{class}, …macro (mean over classes) and …outside.

    `images_KMHW`: K images of each mask of `chosen`. `reference`: real slices of other patients. `units` of
    `chosen`. None: of a class that a unit's masks lack, and where real patients do not vary.
    Values above MOST count as MOST.
    """
    real_C = real_variation(chosen, reference, len(class_names) + 1)
    return relative_diversity(images_KMHW, chosen, real_C, class_names, units)


def relative_diversity(
    images_KMHW: np.ndarray,
    chosen: SliceSet,
    real_C: np.ndarray,
    class_names: Sequence[str],
    units: Mapping[str, np.ndarray],
) -> Record:
    """The same, where the variation of real patients is known: `real_C`, see `real_variation`."""
    masks_MHW = chosen.masks
    n_values = len(class_names) + 1
    generated_MC2 = sum(
        np.array(
            [_terms(a, b, mask, mask, n_values) for a, b, mask in zip(first, second, masks_MHW, strict=True)]
        )
        for first, second in combinations(images_KMHW, 2)
    )
    real_C = np.where(real_C < LEAST_REAL, np.nan, real_C)
    per_unit = {
        unit: np.minimum(np.sqrt(_variation(np.asarray(generated_MC2)[chosen_M]) / real_C), MOST)
        for unit, chosen_M in units.items()
    }
    record: Record = {}
    for name, value in zip((OUTSIDE, *class_names), range(n_values), strict=True):
        of_class = {unit: float(values_C[value]) for unit, values_C in per_unit.items()}
        record |= unit_entries(f"likeness.diversity.{name}", of_class)
    macro = {unit: float(nan_mean(values_C[1:])) for unit, values_C in per_unit.items()}
    return record | unit_entries(f"likeness.diversity.{MACRO}", macro)


def real_variation(chosen: SliceSet, reference: SliceSet, n_values: int) -> np.ndarray:
    """V of each mask value (C + 1,), in squared grey levels: each slice against the nearest of each patient.

    Nearest is the slice whose mask differs least from it. Pixels count where both masks show the class.
    """
    images_MHW = chosen.images
    masks_MHW = chosen.masks
    grids_MD = _grids(masks_MHW, n_values)
    patients = chosen.patients
    terms = [
        _terms(image_HW, stack.images_SHW[row], mask_HW, stack.masks_SHW[row], n_values)
        for stack in reference.stacks
        for image_HW, mask_HW, patient, row in zip(
            images_MHW, masks_MHW, patients, _nearest(grids_MD, stack, n_values), strict=True
        )
        if patient != stack.patient
    ]
    return _variation(np.array(terms))


def _nearest(grids_MD: np.ndarray, stack: Stack, n_values: int) -> np.ndarray:
    """The row of the stack's slice with the most similar mask, for each of M grids, (M,)."""
    grids_SD = _grids(stack.masks_SHW, n_values)
    squares_MS = (grids_SD**2).sum(1) - 2 * grids_MD @ grids_SD.T
    rows_M: np.ndarray = squares_MS.argmin(axis=1)
    return rows_M


def _grids(masks_SHW: np.ndarray, n_values: int) -> np.ndarray:
    """The share of each mask value in each of GRID × GRID cells, or of fewer in small images, (S, D)."""
    side = masks_SHW.shape[1]
    cell = -(-side // GRID)
    cells = side // cell
    cut_SHW = masks_SHW[:, : cells * cell, : cells * cell]
    shape = (len(masks_SHW), cells, cell, cells, cell)
    shares = [(cut_SHW == value).reshape(shape).mean((2, 4)) for value in range(n_values)]
    return np.stack(shares, axis=1).reshape(len(masks_SHW), -1).astype(np.float32)


def _terms(
    first_HW: np.ndarray,
    second_HW: np.ndarray,
    first_mask_HW: np.ndarray,
    second_mask_HW: np.ndarray,
    n_values: int,
) -> np.ndarray:
    """The sums over b in V's numerator and denominator, of each mask value: (C + 1, 2)."""
    difference = first_HW.astype(float) - second_HW
    channels = [difference] if difference.ndim == 2 else list(np.moveaxis(difference, -1, 0))
    terms = np.zeros((n_values, 2))
    for value in np.unique(first_mask_HW):
        shared_HW = (first_mask_HW == value) & (second_mask_HW == value)
        terms[value] = np.sum([_terms_of_class(channel_HW, shared_HW) for channel_HW in channels], axis=0)
    return terms


def _terms_of_class(difference_HW: np.ndarray, shared_HW: np.ndarray) -> tuple[float, float]:
    n_b = _cell_sums(shared_HW.astype(float))
    sum_b = _cell_sums(difference_HW * shared_HW)
    squares_b = _cell_sums(difference_HW**2 * shared_HW)
    counts = n_b >= LEAST_PIXELS
    n_b = n_b[counts]
    of_mean_b = sum_b[counts] ** 2 / n_b  # n d̄²
    within_b = (squares_b[counts] - of_mean_b) / (n_b - 1)  # s²
    return float((of_mean_b - within_b).sum()), float(n_b.sum())


def _cell_sums(values_HW: np.ndarray) -> np.ndarray:
    """Sums over 4×4 cells; the rest of an image that is no multiple of 4 is cut off."""
    rows = values_HW.shape[0] // CELL
    columns = values_HW.shape[1] // CELL
    cut = values_HW[: rows * CELL, : columns * CELL]
    sums: np.ndarray = cut.reshape(rows, CELL, columns, CELL).sum((1, 3))
    return sums


def _variation(terms_PC2: np.ndarray) -> np.ndarray:
    """V of each mask value from the terms of P pairs, (C + 1,); NaN where no cell counts, never below 0."""
    sums_C2 = terms_PC2.sum(axis=0)
    return np.maximum(ratio(sums_C2[:, 0], sums_C2[:, 1]), 0)
