"""Losses on the predicted image: what each of them tells apart, and what it leaves alone."""

import pytest
import torch

from segguided.config.models.denoiser_losses import DenoiserLosses, EnergyScore
from segguided.models.losses.energy_score import (
    choose_filters,
    random_filters,
    respond,
    responses,
    scales_of,
    score,
)
from segguided.models.losses.sliced_wasserstein import choose_directions, sliced_wasserstein


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def real_images(count, generator):
    """Smooth images: white noise, blurred, so that neighbouring pixels are alike."""
    noise_BCHW = torch.randn((count, 1, 32, 32), generator=generator)
    return torch.nn.functional.avg_pool2d(noise_BCHW, 5, stride=1, padding=2)


BLOCKS = EnergyScore(levels=3, blocks=1.0)


def score_of(make_prediction, name="energy_score", images=256):
    """The mean energy score of predictions for images that nothing is known of."""
    generator = seeded()
    real = real_images(images, generator)
    filters = choose_filters(real, BLOCKS, seeded(1))
    return float(filters.scores(real, *(make_prediction(images, generator) for _ in range(2)))[name])


@pytest.mark.parametrize("name", ["energy_score", "energy_score_of_blocks"])
def test_the_energy_score_is_lowest_for_the_distribution_of_the_real_images(name):
    true = score_of(real_images, name)
    wrong = {
        "their mean": score_of(lambda count, _generator: torch.zeros(count, 1, 32, 32), name),
        "too little variation": score_of(lambda count, g: 0.5 * real_images(count, g), name),
        "too much": score_of(lambda count, g: 1.5 * real_images(count, g), name),
        "blurred": score_of(lambda c, g: torch.nn.functional.avg_pool2d(real_images(c, g), 5, 1, 2), name),
        "white noise of their deviation": score_of(
            lambda c, g: 0.2 * torch.randn((c, 1, 32, 32), generator=g), name
        ),
    }
    assert {change: value for change, value in wrong.items() if value < 1.02 * true} == {}


def blobs(count, generator, *, whole=True):
    """Each quarter of an image black or white; not `whole`: each pixel by itself, as often."""
    side = 2 if whole else 32
    coins = torch.randint(0, 2, (count, 1, side, side), generator=generator) * 2.0 - 1
    return torch.nn.functional.interpolate(coins, size=32)


def test_blocks_are_scored_as_wholes():
    """With the right pixels of two independent images mixed, each value alone is right, the whole is not."""

    def mixed(count, generator):
        first, second = blobs(count, generator), blobs(count, generator)
        return torch.where(blobs(1, generator, whole=False) > 0, first, second)

    filters = choose_filters(blobs(256, seeded(1)), EnergyScore(levels=1, blocks=1.0), seeded(1))
    # Filters see neighbours. The pixels themselves, which are the coarsest level, are scored here alone.
    alone = type(filters)([], filters.scales[-1:], 8)
    real, true, other = (blobs(256, seeded(number)) for number in range(1, 4))
    of_true = alone.scores(real, true, other)
    of_mixed = alone.scores(real, mixed(256, seeded(4)), mixed(256, seeded(5)))
    assert of_mixed["energy_score"] == pytest.approx(of_true["energy_score"].item(), rel=0.05)
    assert of_mixed["energy_score_of_blocks"] > 1.1 * of_true["energy_score_of_blocks"]


def test_the_squared_error_is_lowest_for_the_mean_instead():
    generator = seeded()
    real = real_images(256, generator)
    assert real.square().mean() < (real - real_images(256, generator)).square().mean()


def test_filters_ignore_a_grey_level_and_have_length_one():
    filters = random_filters(8, 3, seeded())
    assert torch.allclose(filters.sum((2, 3)), torch.zeros(8, 1), atol=1e-6)
    assert torch.allclose(filters.square().sum((2, 3)), torch.ones(8, 1))
    assert torch.allclose(respond(torch.full((1, 1, 8, 8), 0.7), filters), torch.zeros(1, 8, 8, 8), atol=1e-6)


def test_the_score_of_filters_is_that_of_their_responses():
    """By the formula, level by level."""
    real, first, second = (real_images(3, seeded(number)) for number in range(3))
    filters = choose_filters(real, EnergyScore(levels=2), seeded(3))
    levels = [
        (((a - y).abs() + (b - y).abs()) / 2 - (a - b).abs() / 2).mean() / (y.std() + 1e-3)
        for y, a, b in zip(*(responses(x, filters.filters) for x in (real, first, second)), strict=True)
    ]
    expected = torch.stack(levels).mean()
    scores = filters.scores(real, first, second)
    assert scores.keys() == {"energy_score"}
    assert scores["energy_score"] == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("side", [5, 8, 64])
def test_the_score_of_blocks_is_that_of_their_vectors(side):
    """By the formula, block by block; those at the edge have what is left of them."""
    real, first, second = (real_images(3, seeded(number)) for number in range(3))
    settings = EnergyScore(levels=2, blocks=0.5, block_side=side)
    filters = choose_filters(real, settings, seeded(3))

    def distance(u, v):
        lengths = []
        for top in range(0, u.shape[2], side):
            for left in range(0, u.shape[3], side):
                of_block = (u - v)[:, :, top : top + side, left : left + side]
                lengths.append(of_block.square().mean((1, 2, 3)).sqrt())
        return torch.stack(lengths).mean()

    levels = [
        ((distance(a, y) + distance(b, y)) / 2 - distance(a, b) / 2) / (y.std() + 1e-3)
        for y, a, b in zip(*(responses(x, filters.filters) for x in (real, first, second)), strict=True)
    ]
    expected = torch.stack(levels).mean()
    assert filters.scores(real, first, second)["energy_score_of_blocks"] == pytest.approx(
        expected.item(), rel=1e-5
    )


def test_equal_images_have_a_finite_gradient():
    same = real_images(2, seeded()).requires_grad_()
    filters = choose_filters(same.detach(), BLOCKS, seeded(1))
    sum(filters.scores(same.detach(), same, same).values()).backward()
    assert torch.isfinite(same.grad).all()


def test_each_map_counts_in_units_of_its_own_deviation():
    y, a, b = (real_images(4, seeded(number)) for number in range(3))
    alone = score([y], [a], [b], scales_of([y]))
    larger = score([y, 50 * y], [a, 50 * a], [b, 50 * b], scales_of([y, 50 * y]))
    assert larger == pytest.approx(alone.item(), rel=0.01)


def test_brighter_images_have_the_same_score():
    """Each level counts in units of its own deviation."""
    sets = [real_images(4, seeded(number)) for number in range(3)]
    scores = choose_filters(sets[0], BLOCKS, seeded(3)).scores(*sets)
    larger = choose_filters(50 * sets[0], BLOCKS, seeded(3)).scores(*(50 * images for images in sets))
    for name, value in scores.items():
        assert larger[name] == pytest.approx(value.item(), rel=0.03)


def test_flat_images_have_a_finite_score():
    flat = torch.full((2, 1, 16, 16), -1.0)
    filters = choose_filters(flat, BLOCKS, seeded())
    assert all(torch.isfinite(score) for score in filters.scores(flat, flat + 0.1, flat - 0.1).values())


def test_the_sliced_distance_sees_texture_and_not_where_it_lies():
    generator = seeded()
    first = real_images(4, generator)
    second = real_images(4, generator)
    masks = torch.zeros((4, 32, 32), dtype=torch.uint8)
    masks[:, 8:24, 8:24] = 1
    directions = choose_directions(seeded(1))
    same_texture = sliced_wasserstein(first, second, masks, directions)
    blurred = torch.nn.functional.avg_pool2d(second, 5, 1, 2)
    assert sliced_wasserstein(first, first, masks, directions) == 0
    assert sliced_wasserstein(first, blurred, masks, directions) > 2 * same_texture


def test_the_sliced_distance_compares_class_by_class():
    """Two classes exchange their textures: the images as wholes have the same responses."""
    masks = torch.zeros((1, 32, 32), dtype=torch.uint8)
    masks[:, :, 16:] = 1
    noise = torch.randn((1, 1, 32, 32), generator=seeded())
    left = torch.where(masks[:, None] == 0, noise, torch.zeros_like(noise))
    right = left.flip(-1)
    directions = choose_directions(seeded(1))
    everything = torch.zeros_like(masks)
    assert sliced_wasserstein(left, right, masks, directions) > 0.3
    assert sliced_wasserstein(left, right, everything, directions) < 0.1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"squared_error": 0}, "one of them must tie the image to its mask"),
        ({"adversarial": 0.1}, "losses of a discriminator, which is missing"),
        ({"discriminator": {"channels": 8}}, "adversarial and feature_matching are 0"),
        ({"from_step": 5}, "no loss waits for it"),
        ({"perceptual": 0.5}, "perceptual is 0.5, but perceptual_network is missing; add it"),
        ({"energy_score": {"perceptual": 0.3}}, r"energy_score\.perceptual is 0\.3, but .* missing"),
        (
            {"perceptual_network": {"kind": "vgg19", "weights": "vgg.pth"}},
            "no loss reads its maps",
        ),
        ({"energy_score": {"filter_size": 4}}, "a filter has a pixel in its middle; use 5"),
    ],
)
def test_losses_that_cannot_train_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        DenoiserLosses.model_validate(values)


def test_without_other_terms_the_loss_is_the_papers():
    assert DenoiserLosses().is_papers
    assert not DenoiserLosses(energy_score=EnergyScore()).is_papers
    assert not DenoiserLosses(slope_outside=0.5).is_papers
