"""Distances agree with closed forms and naive loops, repeat, and hold for few images of many features."""

import numpy as np
import pytest
import torch

from segguided.evaluation.likeness.distances import distance_record, frechet_distance, kernel_distance


def gaussian(n, mean, std, seed):
    """A sample (n, D) whose mean and covariance are exactly `mean` and diag(std²)."""
    x_ND = np.random.default_rng(seed).normal(size=(n, len(mean)))
    q_ND, _ = np.linalg.qr(x_ND - x_ND.mean(axis=0))
    return q_ND * np.sqrt(n - 1) * std + mean


def test_frechet_distance_of_gaussians_has_its_closed_form():
    """Of diagonal covariances: Σ (μ − μ')² + (σ − σ')²."""
    mean_D, std_D = np.array([1.0, -2.0, 0.5]), np.array([1.0, 2.0, 0.1])
    x_ND = gaussian(40, mean_D, std_D, 0)
    y_MD = gaussian(25, np.zeros(3), np.full(3, 0.5), 1)
    expected = np.sum(mean_D**2 + (std_D - 0.5) ** 2)
    assert frechet_distance(x_ND, y_MD) == pytest.approx(expected)
    assert frechet_distance(y_MD, x_ND) == pytest.approx(expected)
    assert frechet_distance(1000 * x_ND, 1000 * y_MD) == pytest.approx(1e6 * expected)


def test_frechet_distance_equals_monais():
    from monai.metrics import FIDMetric

    rng = np.random.default_rng(0)
    x_ND, y_MD = rng.normal(0.2, 1.3, (80, 6)), rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6))
    expected = float(FIDMetric()(torch.from_numpy(x_ND), torch.from_numpy(y_MD)))
    assert frechet_distance(x_ND, y_MD) == pytest.approx(expected)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_frechet_distance_of_few_images_with_many_features_is_exact(scale):
    """Singular covariances, dead channels: a set that is another one turned within its own few dimensions."""
    basis_ND = np.linalg.qr(np.random.default_rng(0).normal(size=(200, 3)))[0].T
    x_ND = np.pad(
        gaussian(8, np.array([1.0, 0.0, 2.0]), np.array([1.0, 2.0, 3.0]), 1) @ basis_ND, ((0, 0), (0, 56))
    )
    y_MD = np.pad(gaussian(9, np.zeros(3), np.full(3, 0.5), 2) @ basis_ND, ((0, 0), (0, 56)))
    expected = scale**2 * (5 + 0.5**2 + 1.5**2 + 2.5**2)
    assert frechet_distance(scale * x_ND, scale * y_MD) == pytest.approx(expected)


def test_a_set_is_at_no_frechet_distance_from_itself():
    x_ND = np.random.default_rng(0).normal(size=(10, 32))
    assert 0 <= frechet_distance(x_ND, x_ND) < 1e-12
    assert frechet_distance(np.ones((4, 3)), np.ones((5, 3))) == 0


def test_few_images_bias_the_frechet_distance_upward_and_not_the_kernel_distance():
    """What the notes of Table 3 say: two sets of one distribution, 12 and 1200 images each."""
    rng = np.random.default_rng(0)

    def both(n):
        pairs = [rng.normal(size=(2, n, 16)) for _ in range(8)]
        kernel = [kernel_distance(x, y, subsets=1, subset_size=n, seed=0)[0] for x, y in pairs]
        return np.mean([frechet_distance(x, y) for x, y in pairs]), np.mean(kernel)

    (few, few_kernel), (many, _) = both(12), both(1200)
    assert few > 20 * many
    assert abs(few_kernel) < 0.5


def naive_kernel_distance(x_ND, y_MD):
    """The unbiased estimate of squared MMD, pair by pair."""

    def kernel(a_D, b_D):
        return (float(a_D @ b_D) / len(a_D) + 1) ** 3

    def mean(pairs):
        values = [kernel(a, b) for a, b in pairs]
        return sum(values) / len(values)

    def others(f):
        return [(f[i], f[j]) for i in range(len(f)) for j in range(len(f)) if i != j]

    return mean(others(x_ND)) + mean(others(y_MD)) - 2 * mean([(a, b) for a in x_ND for b in y_MD])


def test_kernel_distance_equals_a_double_loop():
    rng = np.random.default_rng(0)
    x_ND, y_MD = rng.normal(0.5, 1, (9, 5)), rng.normal(size=(9, 5))
    mean, std = kernel_distance(x_ND, y_MD, subsets=3, subset_size=9, seed=0)
    assert mean == pytest.approx(naive_kernel_distance(x_ND, y_MD), rel=1e-9)
    assert std == pytest.approx(0, abs=1e-12)  # each subset is the whole set


def test_kernel_distance_equals_torchmetrics_and_chooses_the_same_subsets():
    from torchmetrics.image.kid import KernelInceptionDistance

    rng = np.random.default_rng(0)
    x_ND, y_MD = rng.normal(0.5, 1, (30, 5)), rng.normal(size=(20, 5))
    torch.manual_seed(3)
    metric = KernelInceptionDistance(torch.nn.Identity(), subsets=7, subset_size=8)  # passes features on
    metric.update(torch.from_numpy(y_MD), real=True)
    metric.update(torch.from_numpy(x_ND), real=False)
    expected = [float(value) for value in metric.compute()]
    assert kernel_distance(x_ND, y_MD, subsets=7, subset_size=8, seed=3) == pytest.approx(expected, rel=1e-12)


def test_kernel_distance_repeats_with_its_seed_and_leaves_the_generator_alone():
    rng = np.random.default_rng(0)
    x_ND, y_MD = rng.normal(size=(30, 4)), rng.normal(1, 1, size=(20, 4))
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    first = kernel_distance(x_ND, y_MD, subsets=5, subset_size=8, seed=1)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(8)
    assert kernel_distance(x_ND, y_MD, subsets=5, subset_size=8, seed=1) == first
    assert kernel_distance(x_ND, y_MD, subsets=5, subset_size=8, seed=2) != first
    assert first[1] > 0


def test_record_says_what_the_distances_rest_on():
    rng = np.random.default_rng(0)
    x_ND, y_MD = rng.normal(size=(30, 4)), rng.normal(1, 1, size=(20, 4))
    record = distance_record(x_ND, y_MD, "unseen", subsets=5, subset_size=1000, seed=3)
    assert record["likeness.kernel_subset_size"] == 10
    kernel = kernel_distance(x_ND, y_MD, subsets=5, subset_size=10, seed=3)
    assert (record["likeness.kernel.unseen"], record["likeness.kernel_std.unseen"]) == kernel
    assert record["likeness.frechet.unseen"] == frechet_distance(x_ND, y_MD)
    keys = ("n_generated", "n_real", "n_features.unseen", "kernel_seed")
    counts = [record[f"likeness.{key}"] for key in keys]
    assert counts == [30, 20, 4, 3]


def test_refuses_other_features_and_single_images():
    with pytest.raises(ValueError, match=r"got \(5, 3\) and \(5, 4\)"):
        frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match="at least two images in each, got 1 and 5"):
        kernel_distance(np.zeros((1, 3)), np.zeros((5, 3)), subsets=1, subset_size=2, seed=0)
