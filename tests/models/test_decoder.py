"""The decoder of segguided-plus: sizes, and what decides its images."""

import pytest
import torch

from segguided.config.models.decoder import Decoder
from segguided.config.models.diffusion import DiffusionModel
from segguided.models.decoder import ModulatedDecoder
from segguided.models.denoiser import DiffusionLearner, build_denoiser
from segguided.models.prediction_learner import PredictionLearner, make_learner


def decoder(channels=(4, 8, 8), maps=3, size=16):
    torch.manual_seed(0)
    return ModulatedDecoder(Decoder(channels=channels, modulation_channels=4), maps, size)


@pytest.mark.parametrize("channels", [(4, 4), (4, 8, 8), (2, 4, 8)])
def test_it_makes_an_image_of_the_maps_size(channels):
    image_B1HW = decoder(channels)(torch.randn(2, 3, 16, 16))
    assert image_B1HW.shape == (2, 1, 16, 16)
    assert image_B1HW.abs().max() <= 1


def test_a_map_that_is_the_same_everywhere_decides_the_image_too():
    """An instance norm behind the modulation would remove what such a map says."""
    network = decoder()
    maps_BKHW = torch.randn(1, 3, 16, 16)
    brighter_BKHW = maps_BKHW.clone()
    brighter_BKHW[:, 2] += 1
    assert (network(brighter_BKHW) - network(maps_BKHW)).abs().mean() > 0.01


def test_every_level_sees_the_maps():
    """A change of one pixel that the coarser levels skip changes the image, and only near it."""
    network = decoder()
    maps_BKHW = torch.zeros(1, 3, 16, 16)
    changed_BKHW = maps_BKHW.clone()
    changed_BKHW[:, 1, 9, 9] = 5.0
    difference_HW = (network(changed_BKHW) - network(maps_BKHW))[0, 0].abs()
    assert difference_HW[9, 9] > 1e-3
    assert difference_HW[9, 9] > 10 * difference_HW[0, 0]


def test_the_coarsest_map_must_have_two_pixels_a_side():
    assert Decoder(channels=(4, 4)).stride == 4
    assert Decoder(channels=(4, 4, 4, 4, 4)).stride == 32


def model(**more):
    values = {
        "kind": "diffusion",
        "conditioning": "onehot",
        "prediction_type": "sample",
        "decoder": {"channels": (4, 8), "modulation_channels": 4},
        "training": {"steps": 1, "batch_size": 2, "learning_rate": 1e-3},
    }
    return DiffusionModel.model_validate(values | more)


def noise_of(learner, x0_BCHW):
    x_BCHW, noise_BNCHW, t_B = learner._noise(x0_BCHW, torch.Generator().manual_seed(0))
    return x_BCHW, noise_BNCHW, t_B == learner.model.timesteps - 1


@pytest.mark.parametrize("energy_score", [None, {"levels": 2}])
def test_at_the_last_time_step_training_knows_nothing_of_the_image(energy_score):
    """As where sampling begins. The noise schedule itself would leave a trace of the mean grey level."""
    settings = model(losses={"energy_score": energy_score, "pure_noise_share": 0.5})
    learner = PredictionLearner(build_denoiser(settings, 2, 16), settings, 1, torch.device("cpu"))
    x_BCHW, noise_BNCHW, is_last_B = noise_of(learner, torch.full((400, 1, 16, 16), 30.0))
    assert 150 < is_last_B.sum() < 250
    means_B = x_BCHW.mean((1, 2, 3))
    if energy_score:
        assert (x_BCHW[is_last_B] == 0).all()
        assert noise_BNCHW.shape == (400, 2, 1, 16, 16)
        assert abs(noise_BNCHW.std() - 1) < 0.02
        assert not torch.equal(noise_BNCHW[:, 0], noise_BNCHW[:, 1])
    else:
        assert means_B[is_last_B].mean().abs() < 0.05, "the schedule's trace would be 0.19"
        assert noise_BNCHW.shape == (400, 1, 0, 16, 16)


def test_with_an_energy_score_both_predictions_see_one_noisy_image():
    """Otherwise they would see more of the image than each alone, and vary too much."""
    settings = model(losses={"squared_error": 0, "energy_score": {"levels": 2}})
    seen = []
    network = build_denoiser(settings, 2, 16)
    network.register_forward_pre_hook(lambda _network, inputs: seen.append(inputs[0]))
    learner = PredictionLearner(network, settings, 1, torch.device("cpu"))
    images_BHW = torch.randint(0, 256, (2, 16, 16), dtype=torch.uint8)
    learner.update(images_BHW, torch.zeros_like(images_BHW), torch.Generator().manual_seed(0))
    (both_XCHW,) = seen  # in one call
    first_BCHW, second_BCHW = both_XCHW[0::2], both_XCHW[1::2]
    assert torch.equal(first_BCHW[:, 0], second_BCHW[:, 0])
    assert not torch.equal(first_BCHW[:, 1], second_BCHW[:, 1])


def test_the_papers_loss_and_the_others_have_learners_of_their_own():
    network = build_denoiser(model(), 2, 16)
    others = model(losses={"energy_score": {"levels": 2}})
    cpu = torch.device("cpu")
    assert isinstance(make_learner(network, model(), 1, cpu), DiffusionLearner)
    assert isinstance(make_learner(network, others, 1, cpu), PredictionLearner)
