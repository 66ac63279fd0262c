"""Distances between two sets of image features: Fréchet (Heusel et al. 2017), kernel (Bińkowski et al. 2018).

Shape suffixes: N and M images of the two sets, D features.
"""

import numpy as np
import torch
from torch import Tensor

from segguided.evaluation.records import Record


def distance_record(
    features_ND: np.ndarray,
    reference_MD: np.ndarray,
    name: str,
    *,
    subsets: int,
    subset_size: int,
    seed: int,
) -> Record:
    """Table 3, keys likeness.….{name}: both distances of the features to the real `reference`, their basis.

    `name`: of the set of features. A subset of the kernel distance is at most half of the smaller set: larger
    subsets would be alike.
    """
    size = max(2, min(subset_size, len(features_ND) // 2, len(reference_MD) // 2))
    kernel, kernel_std = kernel_distance(
        features_ND, reference_MD, subsets=subsets, subset_size=size, seed=seed
    )
    return {
        f"likeness.frechet.{name}": frechet_distance(features_ND, reference_MD),
        f"likeness.kernel.{name}": kernel,
        f"likeness.kernel_std.{name}": kernel_std,
        f"likeness.n_features.{name}": features_ND.shape[1],
        "likeness.kernel_subsets": subsets,
        "likeness.kernel_subset_size": size,
        "likeness.kernel_seed": seed,
        "likeness.n_generated": len(features_ND),
        "likeness.n_real": len(reference_MD),
    }


def frechet_distance(features_ND: np.ndarray, reference_MD: np.ndarray) -> float:
    """‖μ − μ'‖² + tr(Σ + Σ' − 2(ΣΣ')^½) of the Gaussians fitted to either set.

    With Σ = R'R, the trace of the root is the sum of the singular values of R₁R₂'. MONAI's FIDMetric gives
    the same where covariances have full rank; with few images its matrix root warns or raises.
    """
    _check(features_ND, reference_MD)
    x_ND = np.asarray(features_ND, np.float64)
    y_MD = np.asarray(reference_MD, np.float64)
    root = _covariance_root(x_ND)
    reference_root = _covariance_root(y_MD)
    variances = np.sum(root**2) + np.sum(reference_root**2)
    shared = np.linalg.norm(root @ reference_root.T, "nuc")
    return max(0.0, float(np.sum((x_ND.mean(axis=0) - y_MD.mean(axis=0)) ** 2) + variances - 2 * shared))


def _covariance_root(features_ND: np.ndarray) -> np.ndarray:
    """R (min(N, D), D) with R'R the unbiased covariance."""
    centred_ND = features_ND - features_ND.mean(axis=0)
    return np.linalg.qr(centred_ND / np.sqrt(len(features_ND) - 1)).R


def kernel_distance(
    features_ND: np.ndarray, reference_MD: np.ndarray, *, subsets: int, subset_size: int, seed: int
) -> tuple[float, float]:
    """Unbiased squared MMD under the kernel (x·y/D + 1)³: mean and standard deviation over random subsets.

    About 0, and possibly less, for two sets of the same distribution, however few the images. The value of
    torchmetrics' KernelInceptionDistance for the same seed; importing that takes as long as importing torch.
    """
    _check(features_ND, reference_MD)
    assert subset_size <= min(len(features_ND), len(reference_MD))
    x_ND = torch.from_numpy(np.asarray(features_ND, np.float64))
    y_MD = torch.from_numpy(np.asarray(reference_MD, np.float64))
    chooser = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        y_subset = y_MD[torch.randperm(len(y_MD), generator=chooser)[:subset_size]]
        x_subset = x_ND[torch.randperm(len(x_ND), generator=chooser)[:subset_size]]
        values.append(_squared_mmd(x_subset, y_subset))
    values_S = torch.stack(values)
    return float(values_S.mean()), float(values_S.std(correction=0))


def _squared_mmd(x_ND: Tensor, y_ND: Tensor) -> Tensor:
    """Unbiased, of two sets of one size: pairs of an image with itself do not count."""
    n = len(x_ND)
    within = sum(
        kernel_NN.sum() - kernel_NN.trace() for kernel_NN in (_kernel(x_ND, x_ND), _kernel(y_ND, y_ND))
    )
    return within / (n * (n - 1)) - 2 * _kernel(x_ND, y_ND).mean()


def _kernel(x_ND: Tensor, y_MD: Tensor) -> Tensor:
    """(x·y/D + 1)³, (N, M)."""
    return (x_ND @ y_MD.T / x_ND.shape[1] + 1) ** 3


def _check(features_ND: np.ndarray, reference_MD: np.ndarray) -> None:
    if features_ND.ndim != 2 or features_ND.shape[1:] != reference_MD.shape[1:]:
        raise ValueError(
            "expected two sets of feature vectors of one length, (N, D) and (M, D), "
            f"got {features_ND.shape} and {reference_MD.shape}"
        )
    if min(len(features_ND), len(reference_MD)) < 2:
        raise ValueError(
            f"a distance between sets needs at least two images in each, got {len(features_ND)} and "
            f"{len(reference_MD)}; add patients"
        )
