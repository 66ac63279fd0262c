"""The bootstrap interval of a Dice, over patients: the brackets of Tables 1 and 2.

Shape suffixes: S slices, U resampling units, R resamples, C foreground classes, K the C classes and their
macro mean (last); a trailing 4 holds the counts of `class_counts`.
"""

import math

import numpy as np

from segguided.evaluation.dice import (
    classes_in_masks,
    counts_per_patient,
    dice_under_masks,
    ratio,
    with_macro,
)

INTERVAL_PERCENT = (2.5, 97.5)
LEAST_DEFINED = 0.1  # of the resamples; where fewer have a value, there is no interval


def interval_unit(patients_S: np.ndarray) -> str:
    """What is resampled: "patients", or "slices" (in blocks of neighbours) where there is one patient."""
    return "patients" if len(np.unique(patients_S)) > 1 else "slices"


def bootstrap_dice(
    counts_SC4: np.ndarray, patients_S: np.ndarray, *, resamples: int, seed: int
) -> np.ndarray:
    """Pooled Dice of each resample: (R, K), classes then macro.

    The seed and the patients alone decide the resamples. Two calls for the same slices use the same ones, so
    two sets of predictions are compared in pairs. A class that the masks of a resample lack is NaN there, and
    so is the macro: such a resample says nothing of that class's Dice, and its mean would be over other
    classes.
    """
    present_C = classes_in_masks(counts_SC4)
    if interval_unit(patients_S) == "slices":
        units_UC4, n_resampled = _blocks(counts_SC4)
    else:
        _, units_UC4 = counts_per_patient(counts_SC4, patients_S)
        n_resampled = len(units_UC4)
    if len(units_UC4) < 2:
        return np.full((resamples, counts_SC4.shape[1] + 1), np.nan)  # one slice says nothing about spread
    equal_U = np.full(len(units_UC4), 1 / len(units_UC4))
    weights_RU = np.random.default_rng(seed).multinomial(n_resampled, equal_U, size=resamples)
    counts_RC4 = np.tensordot(weights_RU, units_UC4, axes=1)
    return with_macro(dice_under_masks(counts_RC4), present_C)


def percentile_interval(values_RK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper 95 % percentile bounds, (K,) each; undefined values are left out.

    So an interval is conditional. That of a class is over the resamples whose masks hold it (at least 63 % of
    them where one patient has it), that of the macro over those that hold all its classes. NaN where fewer
    than LEAST_DEFINED of the resamples are left, too few for a percentile.
    """
    bounds = np.full((values_RK.shape[1], 2), np.nan)
    for k, values_R in enumerate(values_RK.T):
        defined = values_R[np.isfinite(values_R)]
        if defined.size and defined.size >= LEAST_DEFINED * values_R.size:
            bounds[k] = np.percentile(defined, INTERVAL_PERCENT)
    return bounds[:, 0], bounds[:, 1]


def bootstrap_interval(
    counts_SC4: np.ndarray, patients_S: np.ndarray, *, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """95 % percentile interval of the pooled Dice, resampling patients: lower and upper bounds, (K,) each."""
    return percentile_interval(bootstrap_dice(counts_SC4, patients_S, resamples=resamples, seed=seed))


def ratio_interval(
    counts_SC4: np.ndarray,
    ceiling_SC4: np.ndarray,
    patients_S: np.ndarray,
    averaged_C: np.ndarray,
    *,
    resamples: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of Dice over the ceiling's Dice, both from the same resamples: bounds (K,) each.

    The macro's ratio is of two means over the classes `averaged_C`.
    """
    dice_RK = bootstrap_dice(counts_SC4, patients_S, resamples=resamples, seed=seed)
    ceiling_RK = bootstrap_dice(ceiling_SC4, patients_S, resamples=resamples, seed=seed)
    dice_RK = with_macro(dice_RK[:, :-1], averaged_C)
    ceiling_RK = with_macro(ceiling_RK[:, :-1], averaged_C)
    return percentile_interval(ratio(dice_RK, ceiling_RK))


def _blocks(counts_SC4: np.ndarray) -> tuple[np.ndarray, int]:
    """Counts of every block of about √S neighbouring slices, and how many blocks make up S slices.

    The first slice follows the last. Neighbouring slices are alike: resampled singly, they would give an
    interval that is far too narrow.
    """
    n_slices = len(counts_SC4)
    length = round(math.sqrt(n_slices))
    blocks_UC4 = sum(np.roll(counts_SC4, -shift, axis=0) for shift in range(length))
    return np.asarray(blocks_UC4), math.ceil(n_slices / length)
