"""Which grey value follows from which, learnt from where grey values lie in the images of other patients.

No pixel is seen in both contrasts, but anatomy lies at about the same place in all patients. If a value u of
one contrast, with the mean m of its surroundings, becomes the value f(u, m) of the other, then the mean of f
over the patients of the one is at each place the mean of the other's images. Place is an instrument in two
samples (Angrist & Krueger, JASA 1992). With v, the value that u becomes in order, f is a correction of v:

    f(u, m) = v + Σ_j β_j h_j(u, m),    β = argmin Σ_c w_c (T_c − F_c)² + λ Σ_j s_j β_j²

h_j: products of linear hats over u and m. T_c: the other contrast's mean in the cell c of the field of view;
F_c: that of f; both over the pixels of one class, or outside all. w_c: the harmonic mean of both numbers of
pixels, divided so that Σ w_c = 1. s_j: the mean of h_j. λ = RIDGE (1 / n + 1 / n') with n and n' patients.

f need not increase with u. Where places say nothing, β is near 0 and the order stays.

Shape letters: S slices, H height, W width, N pixels, C cells, J hats.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from segguided.data.slices import Stack

CELLS = (4, 16, 16)  # of a stack along z, y and x
VALUE_KNOTS = np.linspace(0, 255, 14)
MEAN_KNOTS = np.linspace(0, 255, 8)
HATS = len(VALUE_KNOTS) * len(MEAN_KNOTS)
SURROUNDINGS = 1 / 64  # of the side: standard deviation of the Gaussian that weighs the mean
FEWEST_PIXELS = 20  # of either contrast that a cell counts with
RIDGE = 0.3
LEAST_GAIN = 0.1  # share of the squared error of the mean images of patients it was not learnt from


@dataclass(frozen=True)
class InOrder:
    """A patient's slices as they are (u), and their images (S, H, W) float64 matched in order (v)."""

    stack: Stack
    images_SHW: np.ndarray


@dataclass(frozen=True)
class Correction:
    """f of one class, or of what lies outside all (`value` 0)."""

    value: int
    beta_J: np.ndarray

    def of(self, patient: InOrder) -> np.ndarray:
        """f (N,) of the pixels of the class, in the order of a Boolean index."""
        hats_N4, weights_N4 = _hats(patient.stack, self.value)
        in_order_N = patient.images_SHW[patient.stack.masks_SHW == self.value]
        corrected_N: np.ndarray = in_order_N + (weights_N4 * self.beta_J[hats_N4]).sum(axis=1)
        return corrected_N


@dataclass(frozen=True)
class _Places:
    """Of patients of one contrast, summed over the pixels in each cell."""

    patients: int
    pixels_C: np.ndarray
    grey_C: np.ndarray
    hats_CJ: np.ndarray  # 0 of the other contrast: its values are not corrected


def correction_by_place(
    patients: Sequence[InOrder], others: Sequence[Stack], value: int
) -> Correction | None:
    """How grey values of `patients` become those of `others`, of one mask value.

    None where it cannot be learnt, or does not come true: learnt from every other patient, it must be nearer
    to the mean images of the rest than the values in their order are, by LEAST_GAIN, both ways together.
    """
    as_they_are = [InOrder(stack, stack.images_SHW) for stack in others]
    one = [_places(patients[half::2], value) for half in (0, 1)]
    other = [_places(as_they_are[half::2], value, with_hats=False) for half in (0, 1)]
    halves = list(zip(one, other, strict=True))
    if not all(_in_common(*half).any() for half in halves):
        return None
    pairs = zip(halves, halves[::-1], strict=True)
    errors = np.sum([_squared_errors(*tested, _beta(*learnt)) for learnt, tested in pairs], axis=0)
    if errors[1] > (1 - LEAST_GAIN) * errors[0] or not errors[0]:
        return None
    return Correction(value, _beta(_sum(one), _sum(other)))


def _places(patients: Sequence[InOrder], value: int, with_hats: bool = True) -> _Places:
    n_cells = int(np.prod(CELLS))
    pixels_C, grey_C = np.zeros(n_cells), np.zeros(n_cells)
    hats_CJ = np.zeros((n_cells, HATS))
    for patient in patients:
        inside_SHW = patient.stack.masks_SHW == value
        cells_N = _cells(patient.stack)[inside_SHW]
        pixels_C += np.bincount(cells_N, minlength=n_cells)
        grey_C += np.bincount(cells_N, patient.images_SHW[inside_SHW], n_cells)
        if not with_hats:
            continue
        hats_N4, weights_N4 = _hats(patient.stack, value)
        at = (cells_N[:, None] * HATS + hats_N4).ravel()
        hats_CJ += np.bincount(at, weights_N4.ravel(), hats_CJ.size).reshape(hats_CJ.shape)
    return _Places(len(patients), pixels_C, grey_C, hats_CJ)


def _cells(stack: Stack) -> np.ndarray:
    """The number of each pixel's cell, (S, H, W)."""
    z, y, x = (
        np.arange(size) * cells // size for size, cells in zip(stack.masks_SHW.shape, CELLS, strict=True)
    )
    cells_SHW: np.ndarray = (z[:, None, None] * CELLS[1] + y[:, None]) * CELLS[2] + x
    return cells_SHW


def _hats(stack: Stack, value: int) -> tuple[np.ndarray, np.ndarray]:
    """The four hats that each pixel of a mask value touches, and how much of each, both (N, 4)."""
    inside_SHW = stack.masks_SHW == value
    sigma = SURROUNDINGS * stack.images_SHW.shape[-1]
    means_SHW = gaussian_filter(stack.images_SHW.astype(float), (0, sigma, sigma), mode="nearest")
    low_v, share_v = _knots(stack.images_SHW[inside_SHW], VALUE_KNOTS)
    low_m, share_m = _knots(means_SHW[inside_SHW], MEAN_KNOTS)
    hats = [(low_v + i) * len(MEAN_KNOTS) + low_m + j for i in (0, 1) for j in (0, 1)]
    weights = [a * b for a in (1 - share_v, share_v) for b in (1 - share_m, share_m)]
    return np.stack(hats, axis=1), np.stack(weights, axis=1)


def _knots(values_N: np.ndarray, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The knot below each value, and how far the value is on the way to the next, from 0 to 1."""
    at_N = np.interp(values_N, knots, np.arange(len(knots)))
    low_N = np.minimum(at_N.astype(np.int64), len(knots) - 2)
    return low_N, at_N - low_N


def _in_common(one: _Places, other: _Places) -> np.ndarray:
    """The cells (C,) bool that hold enough pixels of both contrasts."""
    in_common_C: np.ndarray = np.minimum(one.pixels_C, other.pixels_C) >= FEWEST_PIXELS
    return in_common_C


def _equations(one: _Places, other: _Places) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the cells in common: mean hats (C, J), what the means of v lack (C,), and the weights w (C,)."""
    common = _in_common(one, other)
    ones_C, others_C = one.pixels_C[common], other.pixels_C[common]
    lacking_C = other.grey_C[common] / others_C - one.grey_C[common] / ones_C
    weights_C = ones_C * others_C / (ones_C + others_C)
    return one.hats_CJ[common] / ones_C[:, None], lacking_C, weights_C / weights_C.sum()


def _beta(one: _Places, other: _Places) -> np.ndarray:
    """β (J,); hats that no pixel touches get 0."""
    hats_CJ, lacking_C, weights_C = _equations(one, other)
    share_J = one.hats_CJ.sum(axis=0) / one.pixels_C.sum()
    ridge = RIDGE * (1 / one.patients + 1 / other.patients)
    weighted_JC = (hats_CJ * weights_C[:, None]).T
    matrix_JJ = weighted_JC @ hats_CJ + np.diag(ridge * (share_J + 1e-4))
    beta_J: np.ndarray = np.linalg.solve(matrix_JJ, weighted_JC @ lacking_C)
    return beta_J


def _squared_errors(one: _Places, other: _Places, beta_J: np.ndarray) -> tuple[float, float]:
    """The weighted squared error of the mean images: of v in its order, and of f."""
    hats_CJ, lacking_C, weights_C = _equations(one, other)
    return float(weights_C @ lacking_C**2), float(weights_C @ (lacking_C - hats_CJ @ beta_J) ** 2)


def _sum(places: Sequence[_Places]) -> _Places:
    """The places of all patients together."""
    return _Places(
        sum(part.patients for part in places),
        np.sum([part.pixels_C for part in places], axis=0),
        np.sum([part.grey_C for part in places], axis=0),
        np.sum([part.hats_CJ for part in places], axis=0),
    )
