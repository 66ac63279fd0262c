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

Shape letters: S slices, H height, W width, N pixels, C cells, J hats, K mask values, G grey levels (256).
"""

from collections.abc import Iterator, Sequence
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
    """A patient's slices as they are (u), and the value (v) that takes each grey level's place in order.

    `table_KG` (K, 256) has these values for each mask value.
    """

    stack: Stack
    table_KG: np.ndarray

    def images(self) -> Iterator[np.ndarray]:
        """The image (H, W) float64 of each slice, matched in order."""
        for grey_HW, mask_HW in zip(self.stack.images_SHW, self.stack.masks_SHW, strict=True):
            yield self.table_KG[mask_HW, grey_HW]


@dataclass(frozen=True)
class Correction:
    """f of one class, or of what lies outside all (`value` 0)."""

    value: int
    beta_J: np.ndarray


@dataclass(frozen=True)
class _Places:
    """Of patients of one contrast and one mask value, summed over the pixels in each cell."""

    patients: int
    pixels_C: np.ndarray
    grey_C: np.ndarray
    hats_CJ: np.ndarray  # 0 of the other contrast: its values are not corrected


def corrections_by_place(
    patients: Sequence[InOrder], others: Sequence[Stack], n_values: int
) -> list[Correction | None]:
    """How grey values of `patients` become those of `others`, of each mask value.

    None where it cannot be learnt, or does not come true: learnt from every other patient, it must be nearer
    to the mean images of the rest than the values in their order are, by LEAST_GAIN, both ways together.
    """
    as_they_are = np.tile(np.arange(256.0), (n_values, 1))
    unchanged = [InOrder(stack, as_they_are) for stack in others]
    one = [_places(patients[half::2], n_values) for half in (0, 1)]
    other = [_places(unchanged[half::2], n_values, with_hats=False) for half in (0, 1)]
    by_value = zip(zip(*one, strict=True), zip(*other, strict=True), strict=True)
    return [_correction(value, *halves) for value, halves in enumerate(by_value)]


def _correction(value: int, one: Sequence[_Places], other: Sequence[_Places]) -> Correction | None:
    halves = list(zip(one, other, strict=True))
    if not all(_in_common(*half).any() for half in halves):
        return None
    pairs = zip(halves, halves[::-1], strict=True)
    errors = np.sum([_squared_errors(*tested, _beta(*learnt)) for learnt, tested in pairs], axis=0)
    if errors[1] > (1 - LEAST_GAIN) * errors[0] or not errors[0]:
        return None
    return Correction(value, _beta(_sum(one), _sum(other)))


def corrected_images(patient: InOrder, corrections: Sequence[Correction | None]) -> Iterator[np.ndarray]:
    """f (H, W) float64 of each slice; v in classes without a correction."""
    slices = zip(patient.images(), patient.stack.images_SHW, patient.stack.masks_SHW, strict=True)
    for corrected_HW, grey_HW, mask_HW in slices:
        means_HW = _surroundings(grey_HW)
        for correction in filter(None, corrections):
            inside_HW = mask_HW == correction.value
            hats_N4, weights_N4 = _hats(grey_HW[inside_HW], means_HW[inside_HW])
            corrected_HW[inside_HW] += (weights_N4 * correction.beta_J[hats_N4]).sum(axis=1)
        yield corrected_HW


def _places(patients: Sequence[InOrder], n_values: int, with_hats: bool = True) -> list[_Places]:
    """The places of each mask value; surroundings are computed once for all, slice by slice."""
    places = [_empty(len(patients)) for _ in range(n_values)]
    for patient in patients:
        slices = zip(patient.images(), patient.stack.images_SHW, patient.stack.masks_SHW, strict=True)
        for cells_HW, (in_order_HW, grey_HW, mask_HW) in zip(_cells(patient.stack), slices, strict=True):
            means_HW = _surroundings(grey_HW) if with_hats else None
            for value in np.unique(mask_HW):
                inside_HW = mask_HW == value
                cells_N = cells_HW[inside_HW]
                _add(places[value].pixels_C, cells_N)
                _add(places[value].grey_C, cells_N, in_order_HW[inside_HW])
                if means_HW is not None:
                    hats_N4, weights_N4 = _hats(grey_HW[inside_HW], means_HW[inside_HW])
                    at_N4 = cells_N[:, None] * HATS + hats_N4
                    _add(places[value].hats_CJ.reshape(-1), at_N4.ravel(), weights_N4.ravel())
    return places


def _empty(patients: int) -> _Places:
    n_cells = int(np.prod(CELLS))
    return _Places(patients, np.zeros(n_cells), np.zeros(n_cells), np.zeros((n_cells, HATS)))


def _add(sums: np.ndarray, at_N: np.ndarray, weights_N: np.ndarray | None = None) -> None:
    """Add the weights, or 1, to `sums` at these places, which lie near each other."""
    first = at_N.min()
    added = np.bincount(at_N - first, weights_N)
    sums[first : first + len(added)] += added


def _cells(stack: Stack) -> Iterator[np.ndarray]:
    """The number of each pixel's cell, (H, W) of each slice."""
    z, y, x = (
        np.arange(size) * cells // size for size, cells in zip(stack.masks_SHW.shape, CELLS, strict=True)
    )
    for of_slice in z:
        yield (of_slice * CELLS[1] + y[:, None]) * CELLS[2] + x


def _surroundings(grey_HW: np.ndarray) -> np.ndarray:
    """The mean (H, W) float64 of each pixel's surroundings in its slice."""
    means_HW: np.ndarray = gaussian_filter(
        grey_HW.astype(float), SURROUNDINGS * grey_HW.shape[-1], mode="nearest"
    )
    return means_HW


def _hats(grey_N: np.ndarray, means_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The four hats that each pixel (u, m) touches, and how much of each, both (N, 4)."""
    low_v, share_v = _knots(grey_N, VALUE_KNOTS)
    low_m, share_m = _knots(means_N, MEAN_KNOTS)
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
