"""Patients whose true mean Dice is known. These distributions were fixed before any interval was tried.

`OWN` holds the Dice of each test patient in Table 1 of the demo (macro mean, against the mask, 2026-11-26):
four breast phantoms under each of four models, and on their real images.

Shape suffixes: R repetitions, N trainings, P patients, S slices.
"""

from collections.abc import Callable

import numpy as np
from scipy import signal

OWN = {
    "controlnet": (0.7843, 0.7410, 0.7597, 0.7476),
    "spade": (0.8586, 0.8666, 0.8710, 0.8591),
    "segguided-mat": (0.7941, 0.7155, 0.7091, 0.7466),
    "segguided": (0.8662, 0.8685, 0.8554, 0.8607),
    "real": (0.8507, 0.8498, 0.8508, 0.8401),
}
_OWN = np.array(list(OWN.values()))
CENTRE = float(_OWN.mean())
# Four values scatter less around their own mean than around the true one: by √(3/4).
RESIDUALS = ((_OWN - _OWN.mean(axis=1, keepdims=True)) / np.sqrt(3 / 4)).ravel()
FAILED = 0.1  # the share of failed patients
FAILED_DICE = 0.05  # their highest Dice


def own(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Our own mean, and one of our own residuals for each patient."""
    return CENTRE + rng.choice(RESIDUALS, shape)


def beta(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Beta(9, 1): mostly near 1, with a long tail below."""
    return rng.beta(9, 1, shape)


def some_failed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A tenth of the patients failed, with a Dice near 0; the others are as `own`."""
    failed = rng.random(shape) < FAILED
    return np.where(failed, rng.uniform(0, FAILED_DICE, shape), own(rng, shape))


Patients = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
DISTRIBUTIONS: dict[str, tuple[Patients, float]] = {
    "own residuals": (own, CENTRE),
    "Beta(9, 1)": (beta, 0.9),
    "10 % failed": (some_failed, FAILED * FAILED_DICE / 2 + (1 - FAILED) * CENTRE),
}


def independent(patients: Patients) -> Patients:
    """Differences of two models on the same patients, without anything shared: the true difference is 0."""
    return lambda rng, shape: patients(rng, shape) - patients(rng, shape)


def failed_in_both(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Differences of two models that fail on the same patients."""
    failed = rng.random(shape) < FAILED
    both_failed = rng.uniform(0, FAILED_DICE, shape) - rng.uniform(0, FAILED_DICE, shape)
    return np.where(failed, both_failed, own(rng, shape) - own(rng, shape))


def failed_in_one(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Differences of two models of which the first alone fails."""
    return some_failed(rng, shape) - own(rng, shape)


# The first three decide the rule; what follows shows what becomes of it where its assumption is wrong.
DIFFERENCES: dict[str, tuple[Patients, float]] = {
    "own residuals": (independent(own), 0.0),
    "Beta(9, 1)": (independent(beta), 0.0),
    "10 % failed": (independent(some_failed), 0.0),
    "10 % failed in both": (failed_in_both, 0.0),
    "10 % failed in one": (failed_in_one, DISTRIBUTIONS["10 % failed"][1] - CENTRE),
}
DECIDING = ("own residuals", "Beta(9, 1)", "10 % failed", "10 % failed in both")


def with_trainings(
    rng: np.random.Generator, patients_RP: np.ndarray, trainings: int, deviation: float
) -> np.ndarray:
    """Each training shifts all patients together, and each patient by half as much: (R, N, P), within 0…1."""
    repetitions, n_patients = patients_RP.shape
    shift_RN1 = rng.normal(0, deviation, (repetitions, trainings, 1))
    shift_RNP = rng.normal(0, deviation / 2, (repetitions, trainings, n_patients))
    return patients_RP[:, None] + shift_RN1 + shift_RNP


def pooled_parts(
    rng: np.random.Generator, patients: Patients, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Of each patient, Dice times size, and size: sizes differ by a factor of e^±0.5 (one deviation)."""
    size = rng.lognormal(0, 0.5, shape)
    return patients(rng, shape) * size, size


def alike_slices(rng: np.random.Generator, shape: tuple[int, int], correlation: float) -> np.ndarray:
    """Values of neighbouring slices with this correlation, around 0: (R, S), autoregressive."""
    repetitions, n_slices = shape
    noise_RS = rng.normal(size=(repetitions, n_slices + 200))
    return signal.lfilter([1], [1, -correlation], noise_RS, axis=-1)[:, 200:]
