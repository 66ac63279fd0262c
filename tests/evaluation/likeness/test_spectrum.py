"""The power spectrum: white noise is flat, blur loses its high frequencies, a copy loses nothing."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from segguided.evaluation.likeness.limits import MOST
from segguided.evaluation.likeness.spectrum import ROUNDING, radial_power, spectrum_record

UNITS = {"patient.p": np.arange(8) < 4, "patient.q": np.arange(8) >= 4}


def textured(seed=0):
    noise_SHW = np.random.default_rng(seed).normal(0, 40, (8, 64, 64))
    return (128 + gaussian_filter(noise_SHW, (0, 0.5, 0.5))).clip(0, 255).round().astype(np.uint8)


def measure(images_SHW, real_SHW):
    return spectrum_record(images_SHW, UNITS, real_SHW, UNITS)


def test_the_power_of_white_noise_is_its_variance_at_every_frequency():
    noise_SHW = np.random.default_rng(0).normal(100, 3, (300, 32, 32))
    power_R = radial_power(noise_SHW).mean(0)
    assert power_R.shape == (16,)
    assert power_R[2:] == pytest.approx(9 + ROUNDING, rel=0.1), "the lowest lose what the mean takes"


def test_a_wave_has_its_power_at_its_frequency():
    x = np.arange(64)
    wave_HW = 20 * np.sin(2 * np.pi * 10 * x / 64) + 0 * x[:, None]
    assert radial_power(wave_HW[None])[0].argmax() == 10 - 1


def test_the_same_images_are_at_no_distance():
    record = measure(textured(), textured())
    assert (record["likeness.spectrum.high_power"], record["likeness.spectrum.distance"]) == (1, 0)


def test_blurred_images_lack_high_frequencies_for_every_patient():
    blurred = gaussian_filter(textured(1).astype(float), (0, 1, 1)).round().astype(np.uint8)
    record = measure(blurred, textured())
    other_real = measure(textured(1), textured())
    for unit in ("", ".patient.p", ".patient.q"):
        assert record[f"likeness.spectrum.high_power{unit}"] < 0.1
        assert 0.8 < other_real[f"likeness.spectrum.high_power{unit}"] < 1.25
        assert (
            record[f"likeness.spectrum.distance{unit}"] > 5 * other_real[f"likeness.spectrum.distance{unit}"]
        )


def test_noise_that_real_images_lack_is_too_much_power():
    noisy = textured().astype(float) + np.random.default_rng(2).normal(0, 40, (8, 64, 64))
    assert measure(noisy, textured())["likeness.spectrum.high_power"] == MOST


def test_images_without_such_a_unit_are_compared_as_a_whole():
    whole = spectrum_record(textured(), {}, textured(), UNITS)
    assert whole["likeness.spectrum.high_power.patient.p"] == pytest.approx(1, rel=0.2)
    assert whole["likeness.spectrum.high_power.patient.p"] != 1


def test_a_constant_image_has_the_power_of_rounding():
    assert radial_power(np.full((1, 16, 16), 7, np.uint8)) == pytest.approx(ROUNDING)
