"""Confidence limits of the mean of a bounded quantity that hold in small samples, whatever its distribution.

The limit is a quantile of Σ W_v x_v, a mean of the sorted sample with weights chosen at random (W is uniform
over all weights that sum to 1: a Dirichlet distribution). To the sample belongs one more value, at the end of
the range: one that might exist but was not seen. Gaffke (2005), "Three test statistics for a nonparametric
one-sided hypothesis on the mean of a nonnegative variable", Math. Methods of Statistics 14; Learned-Miller
and Thomas (2019), "A new confidence interval for the mean of a bounded random variable", arXiv:1905.06208.
That it never covers too rarely is conjectured; no case against it is known.

Shape suffixes: X any leading axes, P patients, V the patients and the added value.
"""

import numpy as np
from scipy.optimize.elementwise import find_root

TOLERANCES = {"xatol": 1e-10, "xrtol": 0, "fatol": 0, "frtol": 0}  # of the search for a quantile


def lower_limit(values_XP: np.ndarray, lowest: float, error: float) -> np.ndarray:
    """Lower limit of the mean (X,): above the true mean in at most the share `error` of all samples.

    No value may be below `lowest`.
    """
    added_X1 = np.full((*values_XP.shape[:-1], 1), float(lowest))
    values_XV = np.concatenate([values_XP, added_X1], axis=-1)
    return quantile_of_weighted_mean(values_XV, error)


def upper_limit(values_XP: np.ndarray, highest: float, error: float) -> np.ndarray:
    """Upper limit of the mean (X,): the lower limit of the mirrored values. None may be above `highest`."""
    return -lower_limit(-values_XP, -highest, error)


def quantile_of_weighted_mean(values_XV: np.ndarray, probability: float) -> np.ndarray:
    """The c with P(Σ W_v x_v > c) = 1 - probability, for weights W uniform over the simplex: (X,)."""

    def excess(threshold_X: np.ndarray, *columns_VX: np.ndarray) -> np.ndarray:
        return probability_above(np.stack(columns_VX, axis=-1), threshold_X) - (1 - probability)

    ends = (values_XV.min(axis=-1), values_XV.max(axis=-1))
    found = find_root(excess, ends, args=tuple(np.moveaxis(values_XV, -1, 0)), tolerances=TOLERANCES)
    return np.where(ends[0] == ends[1], ends[0], found.x)  # no search where all values are equal


def probability_above(values_XV: np.ndarray, threshold_X: np.ndarray) -> np.ndarray:
    """P(Σ W_v x_v > c), for weights W uniform over the simplex: (X,).

    The weights are exponential times E_v over their sum, so this is P(Σ a_v E_v > Σ b_v E_v), where a_v and
    b_v are how far x_v is above and below c. Two sums of exponential times are a race, and such times have no
    memory: of the pair a_p E_p and b_q E_q the second ends first with probability a_p / (a_p + b_q), and then
    the first begins anew. So with f(p, q) for the first p and q terms,
    f(p, q) = a_p / (a_p + b_q) f(p, q - 1) + b_q / (a_p + b_q) f(p - 1, q).
    All terms are positive: equal values and rounding do no harm.
    """
    distance_XV = values_XV - np.asarray(threshold_X)[..., None]
    above_XV1 = np.maximum(distance_XV, 0)[..., :, None]
    below_X1V = np.maximum(-distance_XV, 0)[..., None, :]
    total_XVV = above_XV1 + below_X1V
    share_XVV = np.divide(above_XV1, total_XVV, out=np.zeros_like(total_XVV), where=total_XVV > 0)
    n_values = values_XV.shape[-1]
    race = np.zeros((*values_XV.shape[:-1], n_values + 1, n_values + 1))
    race[..., 1:, 0] = np.cumsum(above_XV1[..., 0], axis=-1) > 0
    for diagonal in range(2, 2 * n_values + 1):
        p = np.arange(max(1, diagonal - n_values), min(n_values, diagonal - 1) + 1)
        q = diagonal - p
        share = share_XVV[..., p - 1, q - 1]
        race[..., p, q] = share * race[..., p, q - 1] + (1 - share) * race[..., p - 1, q]
    return np.asarray(race[..., -1, -1])
