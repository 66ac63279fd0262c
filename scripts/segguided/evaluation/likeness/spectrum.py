"""The power spectrum of images, averaged over directions: too little power at high frequencies is blur.

P(r) is the mean of |F(x − x̄)|² over the frequencies of r periods a side, after a Hann window, plus 1/12, the
power of rounding to whole grey levels. Of images of several channels, it is the mean over the channels.

Shape letters: S images, H height, W width, R frequencies.
"""

from collections.abc import Mapping

import numpy as np

from segguided.evaluation.likeness.limits import MOST
from segguided.evaluation.records import Record, unit_entries

ROUNDING = 1 / 12  # variance of a number that was rounded
HIGH = 0.5  # of the Nyquist frequency: the high frequencies begin here


def spectrum_record(
    images_SHW: np.ndarray,
    units: Mapping[str, np.ndarray],
    real_SHW: np.ndarray,
    real_units: Mapping[str, np.ndarray],
) -> Record:
    """Table 3, keys likeness.spectrum.high_power and likeness.spectrum.distance, both per unit.

    high_power: the images' power in [HIGH, 1] of the Nyquist frequency over that of the real images, 1 where
    they are equal, at most MOST. distance: the root mean square over r of the ratio's logarithm, in decibels.
    A unit's images are compared to the real ones of the same unit, or all of them where they have no such
    unit.
    """
    power_SR = radial_power(images_SHW)
    real_SR = radial_power(real_SHW)
    high_power = {}
    distance = {}
    for unit, real_chosen_S in real_units.items():
        power_R = power_SR[units[unit]].mean(0) if unit in units else power_SR.mean(0)
        real_R = real_SR[real_chosen_S].mean(0)
        begin = int(HIGH * len(real_R))
        high_power[unit] = min(MOST, float(power_R[begin:].sum() / real_R[begin:].sum()))
        distance[unit] = float(np.sqrt(np.mean((10 * np.log10(power_R / real_R)) ** 2)))
    record = unit_entries("likeness.spectrum.high_power", high_power)
    return record | unit_entries("likeness.spectrum.distance", distance)


def radial_power(images_SHW: np.ndarray) -> np.ndarray:
    """P(r) of each image, (S, R), for r = 1 … half the side, in squared grey levels."""
    if images_SHW.ndim == 4:
        return np.mean([radial_power(channel_SHW) for channel_SHW in np.moveaxis(images_SHW, -1, 0)], axis=0)
    side = images_SHW.shape[1]
    window_HW = np.hanning(side)[:, None] * np.hanning(side)
    scale = (window_HW**2).sum()
    frequencies = np.fft.fftfreq(side, 1 / side)
    radius_HW = np.hypot(frequencies[:, None], frequencies).round().astype(int)
    counts_r = np.bincount(radius_HW.ravel())
    rows = []
    for image_HW in images_SHW:
        spectrum_HW = np.abs(np.fft.fft2((image_HW - image_HW.mean()) * window_HW)) ** 2 / scale
        sums_r = np.bincount(radius_HW.ravel(), spectrum_HW.ravel())
        rows.append((sums_r / counts_r)[1 : side // 2 + 1])
    return np.array(rows) + ROUNDING
