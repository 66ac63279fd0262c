"""How often intervals contain the true value, and their width: the tables of workflow/docs/statistics.md.

Shape suffixes: R repetitions, N trainings, P patients, B resamples, M subsets of patients.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from segguided.evaluation.bounded_mean import lower_limit, upper_limit
from segguided.evaluation.comparisons import paired_difference
from segguided.evaluation.intervals import ERROR, half_width, mean_limits, within_patient_interval
from support.simulated_patients import (
    DIFFERENCES,
    DISTRIBUTIONS,
    alike_slices,
    pooled_parts,
    with_trainings,
)

PATIENTS = range(2, 21)
REPETITIONS = 1600
SEARCHES = 600  # repetitions of the bounded methods, whose limits are searched for
BOOTSTRAPS = 400  # repetitions of the methods that resample
RESAMPLES = 400
Limits = tuple[np.ndarray, np.ndarray]


class Cell(NamedTuple):
    """An entry of a table: coverage in percent, and median width."""

    coverage: float
    width: float

    def __str__(self) -> str:
        return f"{self.coverage:.1f}" + (f" ({self.width:.2f})" if np.isfinite(self.width) else "")


Table = dict[tuple[int, str], Cell]  # by number of patients and by method (or case)


def measure(limits: Limits, truth: float) -> Cell:
    low_R, high_R = limits
    return Cell(
        100 * float(np.mean((low_R <= truth) & (truth <= high_R))), float(np.nanmedian(high_R - low_R))
    )


def bounded(values_RP: np.ndarray) -> Limits:
    return mean_limits(values_RP[:SEARCHES, None], 0, 1)


def student(values_RP: np.ndarray) -> Limits:
    mean_R = values_RP.mean(axis=-1)
    return mean_R - half_width(values_RP), mean_R + half_width(values_RP)


def logit_student(values_RP: np.ndarray) -> Limits:
    low_R, high_R = student(special.logit(np.clip(values_RP, 1e-3, 1 - 1e-3)))
    return special.expit(low_R), special.expit(high_R)


def bootstrap(values_RP: np.ndarray, method: str) -> Limits:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # BCa of equal values is NaN: a miss
        found = stats.bootstrap(
            (values_RP[:BOOTSTRAPS],), np.mean, n_resamples=RESAMPLES, method=method, axis=-1, batch=50, rng=0
        )
    return found.confidence_interval


def percentile(values_RP: np.ndarray) -> Limits:
    return bootstrap(values_RP, "percentile")


def bca(values_RP: np.ndarray) -> Limits:
    return bootstrap(values_RP, "BCa")


def bounded_difference(values_RP: np.ndarray) -> Limits:
    searched_RP = values_RP[:SEARCHES]
    return lower_limit(searched_RP, -1, ERROR / 2), upper_limit(searched_RP, 1, ERROR / 2)


def sign_flips(values_RP: np.ndarray) -> Limits:
    """All differences that the sign-flip test does not reject.

    They are the means of subsets of patients (Hartigan 1969); of many patients, of random ones.
    """
    count = values_RP.shape[-1]
    if count <= 10:
        chosen_MP = (np.arange(1, 2**count)[:, None] >> np.arange(count)) & 1
    else:
        chosen_MP = np.random.default_rng(0).integers(0, 2, (1023, count))
    outside = int(ERROR / 2 * (len(chosen_MP) + 1))
    means_RM = np.sort(values_RP[:BOOTSTRAPS] @ (chosen_MP / np.maximum(1, chosen_MP.sum(1))[:, None]).T)
    return means_RM[:, outside - 1], means_RM[:, -outside]


MEANS: dict[str, Callable[[np.ndarray], Limits]] = {
    "**bounded**": bounded,
    "Student's t": student,
    "t of the logit": logit_student,
    "percentile bootstrap": percentile,
    "BCa bootstrap": bca,
}
PAIRS: dict[str, Callable[[np.ndarray], Limits]] = {
    "**Student's t**": student,
    "bounded": bounded_difference,
    "inverted sign flips": sign_flips,
}


def of_means(name: str) -> Table:
    """Every method's interval of a mean over patients of one distribution."""
    patients, truth = DISTRIBUTIONS[name]
    table = {}
    for count in PATIENTS:
        values_RP = patients(np.random.default_rng(count), (REPETITIONS, count))
        for method, limits in MEANS.items():
            table[count, method] = measure(limits(values_RP), truth)
    return table


def of_pairs(name: str) -> Table:
    """Every method's interval of a difference in pairs; inverted sign flips need six patients."""
    differences, truth = DIFFERENCES[name]
    table = {}
    for count in PATIENTS:
        values_RP = differences(np.random.default_rng(count), (REPETITIONS, count))
        for method, limits in PAIRS.items():
            if method != "inverted sign flips" or count >= 6:
                table[count, method] = measure(limits(values_RP), truth)
    return table


def of_pooled() -> Table:
    """Percentile bootstrap and Student's t of the pooled Dice, whose patients have different sizes."""
    table = {}
    for name, (patients, truth) in DISTRIBUTIONS.items():
        for count in PATIENTS:
            rng = np.random.default_rng(count)
            parts_RP, size_RP = pooled_parts(rng, patients, (REPETITIONS, count))
            pooled_R1 = parts_RP.sum(1, keepdims=True) / size_RP.sum(1, keepdims=True)
            half_R = half_width((parts_RP - pooled_R1 * size_RP) / size_RP.mean(1, keepdims=True))
            linear = (pooled_R1[:, 0] - half_R, pooled_R1[:, 0] + half_R)
            weights_BP = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
            resampled_RB = (parts_RP @ weights_BP.T) / (size_RP @ weights_BP.T)
            resampled = np.percentile(resampled_RB[:BOOTSTRAPS], [2.5, 97.5], axis=1)
            table[count, f"t, {name}"] = measure(linear, truth)
            table[count, f"bootstrap, {name}"] = measure((resampled[0], resampled[1]), truth)
    return table


TRAININGS = (1, 2, 3, 5)
DEVIATIONS = (0.0, 0.02, 0.05)  # between trainings; that between our own patients is 0.03


def of_trainings(count: int = 8) -> Table:
    """Intervals of a mean and a difference, and the share of p ≤ 0.05, for eight patients."""
    table: Table = {}
    patients, truth = DISTRIBUTIONS["own residuals"]
    for trainings in TRAININGS:
        for deviation in DEVIATIONS:
            rng = np.random.default_rng(trainings)
            shape = (BOOTSTRAPS, count)
            values_RNP = with_trainings(rng, patients(rng, shape), trainings, deviation)
            other_RNP = with_trainings(rng, patients(rng, shape), trainings, deviation)
            table[trainings, f"mean, {deviation}"] = measure(
                mean_limits(np.clip(values_RNP, 0, 1), 0, 1), truth
            )
            pairs = [paired_difference(*pair) for pair in zip(values_RNP, other_RNP, strict=True)]
            limits = np.array([(pair.interval.low, pair.interval.high) for pair in pairs if pair.interval])
            table[trainings, f"difference, {deviation}"] = measure((limits[:, 0], limits[:, 1]), 0)
            rejected = 100 * float(np.mean([pair.p_value <= ERROR for pair in pairs]))
            table[trainings, f"p ≤ 0.05, {deviation}"] = Cell(rejected, np.nan)
    return table


SLICES = (32, 61, 120)
CORRELATIONS = (0.5, 0.7, 0.8, 0.87, 0.94)
BLOCKS = 8


def of_blocks() -> Table:
    """The interval within one patient: eight blocks of neighbouring slices, the last of each left out."""
    table: Table = {}
    for n_slices in SLICES:
        for correlation in CORRELATIONS:
            rng = np.random.default_rng(n_slices)
            values_RS = alike_slices(rng, (REPETITIONS, n_slices), correlation)
            blocks = np.array_split(np.arange(n_slices), BLOCKS)
            means_RB = np.stack([values_RS[:, rows[:-1]].mean(axis=1) for rows in blocks], axis=1)
            found = [within_patient_interval(means_B) for means_B in means_RB]
            limits = np.array([(interval.low, interval.high) for interval in found if interval])
            table[n_slices, str(correlation)] = measure((limits[:, 0], limits[:, 1]), 0)
    return table


def markdown(table: Table, first: str) -> Iterator[str]:
    """The lines of a Markdown table: a row for each number, "coverage % (median width)"."""
    columns = list(dict.fromkeys(column for _, column in table))
    yield f"| {first} | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for number in dict.fromkeys(number for number, _ in table):
        cells = [str(table[number, column]) if (number, column) in table else "" for column in columns]
        yield f"| {number} | {' | '.join(cells)} |"


def tables() -> Iterator[tuple[str, str, Callable[[], Table]]]:
    """Name, heading of the first column and simulation of every table, in the order of the page."""
    for name in DISTRIBUTIONS:
        yield f"Mean, {name}", "patients", lambda name=name: of_means(name)
    for name in DIFFERENCES:
        yield f"Difference, {name}", "patients", lambda name=name: of_pairs(name)
    yield "Pooled Dice", "patients", of_pooled
    yield "Trainings", "trainings", of_trainings
    yield "Blocks of one patient", "slices", of_blocks
