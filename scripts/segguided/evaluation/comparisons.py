"""Models are compared by paired differences: the same patients and masks, one model minus the other.

The p-value over patients is that of the sign-flip (permutation) test of Fisher (1935, The Design of
Experiments, section 21): were the models alike, each patient's difference could as well have the other sign.
The variances of patients and trainings add up, with the degrees of freedom of Satterthwaite (1946, Biometrics
Bulletin 2, 110-114). The p-values of all pairs are corrected together as by Holm (1979, Scandinavian Journal
of Statistics 6, 65-70). How all this holds in simulation: workflow/docs/statistics.md.

Shape suffixes: N trainings (seeds), P patients.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from segguided.evaluation.intervals import ERROR, Interval

LEAST_PATIENTS = 2  # for an interval: one patient says nothing about others
LEAST_TRAININGS = 2  # for a standing: one training of a model says nothing about its next one
SIGN_FLIPS = 2**16  # all of them up to 16 patients; of more patients, this many at random with SEED
SEED = 0


@dataclass(frozen=True)
class PairedDifference:
    """A model's mean minus another's, on the same patients. NaN, None and 1 where they share no patient."""

    mean: float
    interval: Interval | None
    p_value: float


@dataclass(frozen=True)
class Standing:
    """The models that stand out by evidence. The reason says why there is no best one, else it is ""."""

    best: str | None
    second: str | None
    reason: str


@dataclass(frozen=True)
class _Source:
    """A source of error of a mean: the variance it adds, and the degrees of freedom of that estimate."""

    variance: float
    freedom: int


def paired_difference(values_NP: np.ndarray, other_NP: np.ndarray) -> PairedDifference:
    """The difference of two models, over the patients where all values of both are defined.

    The models may differ in their number of trainings. Where one of them has a single training, interval and
    p-value are about the trained models, not about others that the same training would give. Raises
    ValueError where the patients' numbers differ.
    """
    model_NP, other_NP = on_shared_patients([values_NP, other_NP])
    difference_P = model_NP.mean(axis=0) - other_NP.mean(axis=0)
    n_patients = len(difference_P)
    mean = float(difference_P.mean()) if n_patients else math.nan
    if n_patients < LEAST_PATIENTS:
        return PairedDifference(mean, None, 1.0)
    sources = [_source(difference_P)]
    p_value = sign_flip_p(difference_P)
    if min(len(model_NP), len(other_NP)) > 1:
        sources += [_source(model_NP.mean(axis=1)), _source(other_NP.mean(axis=1))]
        p_value = max(p_value, _t_test_p(mean, sources))
    half = float(stats.t.isf(ERROR / 2, _freedom(sources))) * _standard_error(sources)
    return PairedDifference(mean, Interval(mean - half, mean + half), p_value)


def standing(values: Mapping[str, np.ndarray], higher_is_better: bool) -> Standing:
    """Which of the models (name: values (N, P)) is better than each other one, and which is second.

    The best one's difference to every other model has a p-value below 0.05 after Holm's correction over all
    pairs. The second best is, in the same way, better than all models but the best, of which there must be
    at least one.
    """
    named = {name: values_NP for name, values_NP in values.items() if np.isfinite(values_NP).any()}
    shared = dict(zip(named, on_shared_patients(list(named.values())), strict=True)) if named else {}
    reason = _why_none_can_stand(shared)
    if reason:
        return Standing(None, None, reason)
    beaten = _beaten(shared, higher_is_better)
    best = _best(list(shared), beaten)
    if best is None:
        return Standing(None, None, "no model differs from each other one by more than chance may explain")
    rest = [name for name in shared if name != best]
    return Standing(best, _best(rest, beaten) if len(rest) > 1 else None, "")


def sign_flip_p(difference_P: np.ndarray) -> float:
    """Two-sided p-value of the mean difference being 0, from the differences' means with all signs flipped.

    Exact up to 16 patients. It is never below 2 / 2^P, and 1 with one patient.
    """
    if len(difference_P) < LEAST_PATIENTS:
        return 1.0
    test = stats.permutation_test(
        (difference_P,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=SIGN_FLIPS,
        batch=2**12,
        rng=SEED,
    )
    return float(test.pvalue)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p-values: below 0.05, with an error of 5 % for all of them together."""
    order = np.argsort(p_values, kind="stable")
    remaining = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(np.asarray(p_values)[order] * remaining))
    return adjusted


def least_patients(models: int) -> int:
    """With how many patients the sign-flip test can tell the best of so many models at all.

    Its least p-value, 2 / 2^P, must not exceed 0.05 over the number of pairs.
    """
    pairs = models * (models - 1) // 2
    return math.ceil(math.log2(2 * pairs / ERROR))


def on_shared_patients(models: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The models' values (N, P) of the patients that are defined in all of them."""
    shapes = [values_NP.shape for values_NP in models]
    if any(len(shape) != 2 or shape[0] == 0 or shape[1] != shapes[0][-1] for shape in shapes):
        raise ValueError(
            "expected values in the shape (trainings, patients), of the same patients for each model and at "
            f"least one training, got {', '.join(map(str, shapes))}"
        )
    defined_P = np.isfinite(np.concatenate(models)).all(axis=0)
    return [values_NP[:, defined_P] for values_NP in models]


def _why_none_can_stand(models: Mapping[str, np.ndarray]) -> str:
    """Why no model can be the best, whatever its values; "" where one can."""
    if len(models) < 2:
        return "there are no two models to compare"
    n_patients = next(iter(models.values())).shape[1]
    if n_patients < LEAST_PATIENTS:
        return "one test patient says nothing about others" if n_patients else "the models share no patient"
    if min(len(values_NP) for values_NP in models.values()) < LEAST_TRAININGS:
        return "one training of a model says nothing about its next one"
    needed = least_patients(len(models))
    if n_patients < needed:
        return (
            f"to tell the best of {len(models)} models takes at least {needed} test patients, "
            f"here are {n_patients}"
        )
    return ""


def _beaten(models: Mapping[str, np.ndarray], higher_is_better: bool) -> set[tuple[str, str]]:
    """The pairs (better, worse) whose difference stands."""
    pairs = list(combinations(models, 2))
    differences = [paired_difference(models[first], models[second]) for first, second in pairs]
    adjusted = holm([difference.p_value for difference in differences])
    beaten = set()
    for (first, second), difference, p_value in zip(pairs, differences, adjusted, strict=True):
        if p_value <= ERROR:
            first_is_better = (difference.mean > 0) == higher_is_better
            beaten.add((first, second) if first_is_better else (second, first))
    return beaten


def _best(names: Sequence[str], beaten: set[tuple[str, str]]) -> str | None:
    """The one that beats all others of these names, if there is one."""
    for name in names:
        if all((name, other) in beaten for other in names if other != name):
            return name
    return None


def _source(values: np.ndarray) -> _Source:
    """What chance in these values adds to the error of their mean."""
    return _Source(float(values.var(ddof=1)) / len(values), len(values) - 1)


def _standard_error(sources: Sequence[_Source]) -> float:
    return math.sqrt(sum(source.variance for source in sources))


def _freedom(sources: Sequence[_Source]) -> float:
    """Satterthwaite's degrees of freedom of the sum of these variances."""
    weights = [source.variance**2 / source.freedom for source in sources]
    if not sum(weights):
        return min(source.freedom for source in sources)
    return sum(source.variance for source in sources) ** 2 / sum(weights)


def _t_test_p(mean: float, sources: Sequence[_Source]) -> float:
    """Two-sided p-value of Student's test of a mean difference of 0. 1 where the difference is 0."""
    if not mean:
        return 1.0
    error = _standard_error(sources)
    return float(2 * stats.t.sf(abs(mean) / error, _freedom(sources))) if error else 0.0
