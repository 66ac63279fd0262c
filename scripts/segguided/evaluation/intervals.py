"""95 % intervals of a mean over patients, over several trainings too.

How each holds in simulation, and why no other is printed: workflow/docs/statistics.md. The interval over
patients is that of `bounded_mean.py`. Several trainings add their variance in squares, limit by limit: the
"method of variance estimates recovery" of Zou and Donner (2008), Statistics in Medicine 27, 1693-1702.

Shape suffixes: X any leading axes, N trainings (seeds) or other values, P patients, B blocks of slices, G
groups of them, S slices, U resampling units, R resamples, C foreground classes, K the C classes and their
macro mean (last); a trailing 4 holds the counts of `class_counts`.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from segguided.evaluation.bounded_mean import lower_limit, upper_limit
from segguided.evaluation.dice import (
    classes_in_masks,
    counts_per_patient,
    dice_under_masks,
    ratio,
    with_macro,
)

ERROR = 0.05  # the share of all samples whose interval may miss the true value
LEAST_PATIENTS = 2  # one patient says nothing about others
GROUPS = 3  # of the blocks of one patient: more would be too alike, two are hardly an interval
ALIKE = 2.0  # times the variance of the groups' mean: neighbouring groups are still somewhat alike


@dataclass(frozen=True)
class Interval:
    """The limits of a 95 % interval."""

    low: float
    high: float


def mean_interval(values_NP: np.ndarray, lowest: float = 0.0, highest: float = 1.0) -> Interval | None:
    """The interval of the mean over all patients like these, and over all trainings where there are several.

    Patients with an undefined value (NaN) are left out. None with fewer than `LEAST_PATIENTS` patients, and
    for a quantity without bounds: an interval would contain the true mean in less than 93 % of all samples.
    With one training, the interval is that of this trained model. Raises ValueError for a value outside the
    bounds.
    """
    defined_NP = defined_patients(values_NP)
    if defined_NP.shape[1] < LEAST_PATIENTS or not math.isfinite(highest - lowest):
        return None
    _check_bounds(defined_NP, lowest, highest)
    low, high = mean_limits(defined_NP, lowest, highest)
    return Interval(float(low), float(high))


def mean_limits(values_XNP: np.ndarray, lowest: float, highest: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits (X,) of the mean over patients and trainings, for each of X sets of values."""
    patients_XP = values_XNP.mean(axis=-2)
    mean_X = patients_XP.mean(axis=-1)
    below_X = mean_X - lower_limit(patients_XP, lowest, ERROR / 2)
    above_X = upper_limit(patients_XP, highest, ERROR / 2) - mean_X
    if values_XNP.shape[-2] > 1:
        trainings_X = half_width(values_XNP.mean(axis=-1))
        below_X = np.hypot(below_X, trainings_X)
        above_X = np.hypot(above_X, trainings_X)
    return np.maximum(lowest, mean_X - below_X), np.minimum(highest, mean_X + above_X)


def within_patient_interval(values_B: np.ndarray) -> Interval | None:
    """The interval of a mean over slices like those of one patient: it says nothing about other patients.

    The values are those of blocks of neighbouring slices, in their order. Neighbours are alike, so many small
    blocks would seem more certain than they are: the blocks are gathered into `GROUPS` groups. The interval
    is Student's of the groups' means, with `ALIKE` times their variance. None with fewer blocks.
    """
    defined_B = values_B[np.isfinite(values_B)]
    if len(defined_B) < GROUPS:
        return None
    means_G = np.array([group.mean() for group in np.array_split(defined_B, GROUPS)])
    mean = float(defined_B.mean())
    half = math.sqrt(ALIKE) * float(half_width(means_G))
    return Interval(mean - half, mean + half)


def defined_patients(values_NP: np.ndarray) -> np.ndarray:
    """The columns of the patients whose value is defined in every training. ValueError for another shape."""
    if values_NP.ndim != 2 or len(values_NP) == 0:
        raise ValueError(
            "expected values in the shape (trainings, patients) of one training or more, "
            f"got {values_NP.shape}"
        )
    return values_NP[:, np.isfinite(values_NP).all(axis=0)]


def _check_bounds(values_NP: np.ndarray, lowest: float, highest: float) -> None:
    least = values_NP.min()
    largest = values_NP.max()
    if least < lowest or largest > highest:
        raise ValueError(
            f"expected values from {lowest} to {highest}, got {least} to {largest}: the interval of a mean "
            "holds only within its bounds"
        )


def half_width(values_XN: np.ndarray) -> np.ndarray:
    """Half of Student's interval of the mean over the last axis: (X,)."""
    count = values_XN.shape[-1]
    quantile = stats.t.isf(ERROR / 2, count - 1)
    return np.asarray(quantile * values_XN.std(axis=-1, ddof=1) / math.sqrt(count))


# The bootstrap of the pooled Dice.

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
