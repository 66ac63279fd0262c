"""Guidance over masks: what is compared, and which models can."""

import pytest
import torch

from segguided.config.checks.sampling import check_guidance
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.sampling import Sampling
from segguided.generation.diffusion import make_sampler
from segguided.generation.samplers.guidance import GuidedDenoiser
from segguided.models.denoiser import build_denoiser

N_CLASSES = 2
VALUES = {
    "kind": "diffusion",
    "conditioning": "onehot_free",
    "mask_ablation": "sample",
    "prediction_type": "sample",
    "decoder": {"channels": (4, 8), "modulation_channels": 4},
    "losses": {"squared_error": 0, "energy_score": {"levels": 2}},
    "training": {"steps": 1, "batch_size": 1, "learning_rate": 1},
}
MODEL = DiffusionModel.model_validate(VALUES)


def images(weight, steps=1):
    torch.manual_seed(0)
    network = build_denoiser(MODEL, N_CLASSES, 16)
    sampling = Sampling(sampler="renoise", steps=steps, batch_size=4, precision="fp32", guidance=weight)
    masks_BHW = torch.zeros((2, 16, 16), dtype=torch.uint8)
    masks_BHW[:, 4:9, 4:9] = 1
    return make_sampler(network, MODEL, sampling, 0)(masks_BHW, ["a", "b"]).int()


def test_the_guided_prediction_is_that_of_the_mask_moved_away_from_that_without_one():
    mask_BHW = torch.ones(1, 2, 2)
    guided = GuidedDenoiser(lambda x, _t, m: x + m[:, None], lambda x, _t, m: x + 10 + m[:, None], 0.5)
    prediction = guided(torch.zeros(1, 1, 2, 2), torch.zeros(1), mask_BHW)
    assert torch.equal(prediction, torch.full((1, 1, 2, 2), 1 + 0.5 * (1 - 10)))


@pytest.mark.parametrize("steps", [1, 2])
def test_images_are_guided_and_the_same_each_time(steps):
    assert torch.equal(images(2.0, steps), images(2.0, steps))
    assert (images(2.0, steps) - images(0.0, steps)).abs().float().mean() > 1


@pytest.mark.parametrize(
    "values", [{"conditioning": "onehot", "mask_ablation": "none"}, {"conditioning": "onehot"}]
)
def test_a_model_that_does_not_know_what_no_mask_is_cannot_be_guided(values):
    model = DiffusionModel.model_validate(VALUES | values)
    sampling = Sampling(sampler="renoise", steps=1, batch_size=1, guidance=1.0)
    with pytest.raises(
        ValueError, match=r"sampling.guidance is 1, .* models.mine does not learn what no mask is"
    ):
        check_guidance("sampling", sampling, "mine", model)
    check_guidance("sampling", sampling, "mine", MODEL)
    check_guidance("sampling", sampling.model_copy(update={"guidance": 0.0}), "mine", model)
