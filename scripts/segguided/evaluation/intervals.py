"""95 % intervals of a mean over patients, over several trainings too.

How each holds in simulation, and why no other is printed: workflow/docs/statistics.md. The interval over
patients is that of `bounded_mean.py`. Several trainings add their variance in squares, limit by limit: the
"method of variance estimates recovery" of Zou and Donner (2008), Statistics in Medicine 27, 1693-1702.

Shape suffixes: X any leading axes, N trainings (seeds) or other values, P patients, B blocks of slices, G
groups of them.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from segguided.evaluation.bounded_mean import lower_limit, upper_limit

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
