"""The features that no training has seen: the same each time, of fixed weights, and sensitive to texture."""

import inspect
import re

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from segguided.evaluation.likeness import texture, unseen
from segguided.evaluation.likeness.distances import frechet_distance
from segguided.evaluation.likeness.texture import PATTERNS, local_patterns, texture_features, wavelet_energies
from segguided.evaluation.likeness.unseen import RandomNetwork, Standardiser, raw_features

FIRST_WEIGHT = -0.3457838


def textured(n, seed):
    noise_SHW = np.random.default_rng(seed).normal(0, 40, (n, 32, 32))
    return (128 + noise_SHW).clip(0, 255).astype(np.uint8)


def test_features_are_the_same_each_time_and_leave_torch_s_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = raw_features(textured(5, 0))
    assert torch.rand(1) == expected
    assert np.array_equal(first, raw_features(textured(5, 0)))


def test_batches_change_no_feature(monkeypatch):
    whole = raw_features(textured(7, 0))
    monkeypatch.setattr(unseen, "BATCH", 3)
    assert raw_features(textured(7, 0)) == pytest.approx(whole, rel=1e-5)


def test_nothing_is_trained_or_read_from_a_file():
    assert not list(RandomNetwork().parameters())
    code = inspect.getsource(unseen) + inspect.getsource(texture)
    assert not re.search(r"\b(load\w*|open)\(", code)


def test_a_weight_of_the_network_is_what_it_was():
    """Another version of torch with another generator would change Table 3 without a word."""
    assert float(RandomNetwork().weights[0][0, 0, 0, 0]) == pytest.approx(FIRST_WEIGHT, abs=1e-6)


def test_training_images_have_mean_0_and_deviation_1():
    images = textured(50, 0)
    features_SD = Standardiser(images).features(images)
    assert features_SD.mean(0) == pytest.approx(0, abs=1e-9)
    assert np.all(np.isclose(features_SD.std(0), 1) | np.isclose(features_SD.std(0), 0))


def test_blurred_images_are_farther_than_other_real_ones():
    standardiser = Standardiser(textured(60, 0))
    real = standardiser.features(textured(60, 1))
    blurred = gaussian_filter(textured(60, 2), (0, 1, 1))
    other = frechet_distance(standardiser.features(textured(60, 3)), real)
    assert frechet_distance(standardiser.features(blurred), real) > 10 * other


def test_wavelets_tell_directions_and_scales_apart():
    stripes = np.tile([0.0, 0, 100, 100], (16, 4))
    across_fine, down_fine, _diagonal, across, down, _ = list(wavelet_energies(stripes))[:6]
    assert (across_fine, down_fine, down) == (0, 0, 0)
    assert across == pytest.approx(np.log1p(200))


def test_patterns_of_an_edge_are_uniform_and_those_of_a_grid_are_not():
    edge = np.repeat([[0.0] * 8 + [100.0] * 8], 16, axis=0)
    assert local_patterns(edge)[-1] == 0
    assert local_patterns(edge).sum() == pytest.approx(1)
    noise = np.random.default_rng(0).normal(size=(16, 16))
    assert local_patterns(noise)[-1] > 0.3
    assert len(texture_features(textured(1, 0))[0]) == 2 + 9 + PATTERNS - 1


def test_turning_an_image_by_a_right_angle_keeps_its_patterns():
    noise = np.random.default_rng(0).normal(size=(16, 16))
    assert local_patterns(np.rot90(noise)) == pytest.approx(local_patterns(noise))
