"""Phantoms have the anatomy that their masks promise."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from segguided.data.datasets.phantom import CONTRASTS, Phantom, _smoothed, make_phantom

PATIENTS = [f"phantom_{n:03d}" for n in range(1, 29)]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom("phantom_001", seed=0, size=64, slices=12)


def test_is_a_function_of_seed_and_patient_alone(phantom: Phantom) -> None:
    again = make_phantom("phantom_001", seed=0, size=64, slices=12)
    assert np.array_equal(again.image_zyx, phantom.image_zyx)
    for other in (make_phantom("phantom_002", 0, 64, 12), make_phantom("phantom_001", 1, 64, 12)):
        assert (other.labels_zyx != phantom.labels_zyx).mean() > 0.01


def test_vessels_and_dense_tissue_lie_in_the_breast_and_overlap(phantom: Phantom) -> None:
    assert phantom.image_zyx.dtype == np.uint16
    assert not (phantom.vessels_zyx & ~phantom.breast_zyx).any()
    assert not (phantom.dense_zyx & ~phantom.breast_zyx).any()
    both = phantom.vessels_zyx & phantom.dense_zyx
    assert both.any()
    assert (phantom.labels_zyx[both] == 3).all()


def test_vessels_are_brightest_and_fat_is_darkest(phantom: Phantom) -> None:
    fat, vessel, dense = (np.median(phantom.image_zyx[phantom.labels_zyx == k]) for k in (1, 2, 3))
    assert vessel > 1.4 * dense > 1.4 * 1.4 * fat


def test_the_breasts_lie_on_both_sides_and_to_the_front(phantom: Phantom) -> None:
    _, y, x = np.nonzero(phantom.breast_zyx)
    assert 0.35 < (x < 32).mean() < 0.65
    assert np.quantile(y, 0.9) < 0.6 * 64


@pytest.mark.parametrize("patient", PATIENTS[:5])
def test_most_slices_of_the_demo_size_hold_every_class(patient: str) -> None:
    labels = make_phantom(patient, seed=0, size=96, slices=24).labels_zyx
    breast = [slice_yx for slice_yx in labels if (slice_yx > 0).sum() > 100]
    assert len(breast) >= 12
    assert np.mean([all((slice_yx == k).sum() >= 8 for k in (1, 2, 3)) for slice_yx in breast]) > 0.6


def test_vessels_are_at_least_two_pixels_thick() -> None:
    vessels = make_phantom("phantom_001", seed=0, size=96, slices=24).vessels_zyx
    wide = vessels[:, 1:, 1:] & vessels[:, :-1, 1:] & vessels[:, 1:, :-1] & vessels[:, :-1, :-1]
    covered = np.zeros_like(vessels)
    for dy in (0, 1):
        for dx in (0, 1):
            covered[:, dy : dy + 95, dx : dx + 95] |= wide
    assert covered.sum() > 0.85 * vessels.sum()


def test_contrasts_show_the_same_anatomy_in_other_greys() -> None:
    t1, t2 = (make_phantom("p", 0, 32, 4, contrast) for contrast in CONTRASTS)
    assert np.array_equal(t1.labels_zyx, t2.labels_zyx)
    vessels, fat = t1.labels_zyx == 2, t1.labels_zyx == 1
    assert t1.image_zyx[vessels].mean() > 2 * t1.image_zyx[fat].mean()
    assert t2.image_zyx[vessels].mean() < t2.image_zyx[fat].mean()


@pytest.mark.parametrize("sigma", [0.6, 3, 40])
def test_smooths_as_scipy_does(sigma: float) -> None:
    noise = np.random.default_rng(0).standard_normal((5, 24, 32))
    sigmas = [sigma / 4, sigma, sigma]
    np.testing.assert_allclose(
        _smoothed(noise, sigmas), gaussian_filter(noise, sigmas, mode="wrap"), atol=1e-12
    )
