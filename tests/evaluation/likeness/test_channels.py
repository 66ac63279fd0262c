"""Table 3 of images with several channels: each channel counts, and equal channels say what one says."""

import numpy as np
import pytest

from segguided.data.slices import SliceSet, Stack
from segguided.evaluation.image_pairs import mean_absolute_difference, structural_similarity
from segguided.evaluation.likeness.diversity import real_variation, relative_diversity
from segguided.evaluation.likeness.spectrum import radial_power
from segguided.evaluation.likeness.units import units_of
from segguided.evaluation.likeness.unseen import raw_features
from segguided.generation.near_real.matching import matched


def random_images(seed, count=5):
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32)).astype(np.uint8)


def stack(patient, images, masks=None):
    masks_SHW = np.zeros(images.shape[:3], np.uint8) if masks is None else masks
    masks_SHW[:, 4:20, 6:24] = 1
    return Stack(patient, images, masks_SHW, np.arange(float(len(images))), {})


TWO = np.stack([random_images(1), random_images(2)], axis=-1)
SAME = np.stack([random_images(1)] * 2, axis=-1)


def test_unseen_features_stand_one_channel_after_another():
    first, second = (raw_features(TWO[..., k]) for k in (0, 1))
    np.testing.assert_array_equal(raw_features(TWO), np.concatenate([first, second], axis=1))


def test_the_spectrum_is_the_mean_over_channels():
    expected = (radial_power(TWO[..., 0]) + radial_power(TWO[..., 1])) / 2
    np.testing.assert_allclose(radial_power(TWO), expected)


def diversity(images_KMHW, patients):
    chosen = SliceSet([stack("a", patients[0]), stack("b", patients[1])])
    reference = SliceSet([stack("c", patients[2]), stack("d", patients[3])])
    real_C = real_variation(chosen, reference, 2)
    record = relative_diversity(images_KMHW, chosen, real_C, ["class"], units_of(chosen))
    return record["likeness.diversity.class"]


def test_diversity_sees_a_channel_that_does_not_vary():
    smooth = [np.repeat(np.repeat(random_images(seed)[:, ::8, ::8], 8, 1), 8, 2) for seed in range(10, 16)]
    grey = diversity(np.stack([np.concatenate([smooth[4]] * 2), np.concatenate([smooth[5]] * 2)]), smooth)
    both = [np.stack([images, images], axis=-1) for images in smooth]
    generated = np.stack([np.concatenate([both[4]] * 2), np.concatenate([both[5]] * 2)])
    assert diversity(generated, both) == pytest.approx(grey)
    generated[1, ..., 1] = generated[0, ..., 1]
    assert diversity(generated, both) == pytest.approx(grey / np.sqrt(2))


def test_pairs_of_images_are_compared_over_all_channels():
    other = TWO.copy()
    other[..., 1] = 255 - other[..., 1]
    one_channel = mean_absolute_difference(TWO[..., 1], other[..., 1])
    np.testing.assert_allclose(mean_absolute_difference(TWO, other), one_channel / 2)
    ssim = structural_similarity(TWO[..., 1], other[..., 1])
    np.testing.assert_allclose(structural_similarity(TWO, other), (1 + ssim) / 2, atol=1e-5)
    np.testing.assert_allclose(
        structural_similarity(SAME, 255 - SAME),
        structural_similarity(SAME[..., 0], 255 - SAME[..., 0]),
        atol=1e-6,
    )


def test_each_channel_takes_the_grey_values_of_its_own_reference():
    slices = SliceSet([stack("a", TWO)])
    dark, bright = (np.clip(random_images(seed) // 4 + shift, 0, 255) for seed, shift in ((5, 0), (6, 150)))
    reference = SliceSet([stack("r", np.stack([dark, bright], axis=-1).astype(np.uint8))])
    images = matched(slices, reference, 1).images
    for channel, (low, high) in enumerate(((0, 63), (150, 213))):
        alone = matched(
            SliceSet([stack("a", TWO[..., channel])]),
            SliceSet([stack("r", reference.images[..., channel])]),
            1,
        )
        np.testing.assert_array_equal(images[..., channel], alone.images)
        assert low <= images[..., channel].min() and images[..., channel].max() <= high
