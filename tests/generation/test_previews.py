"""Previews of each kind of model: images of the present weights, and nothing of the training changes."""

import copy

import pytest
import torch

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.regression import RegressionModel
from segguided.models.denoiser import MaskedDenoiser, build_denoiser
from segguided.models.prediction_learner import make_learner
from segguided.models.regression import RegressionLearner
from segguided.training.previews import images_by

CPU = torch.device("cpu")
UNET = {"channels": (8, 8), "norm_groups": 4, "layers_per_block": 1}
TRAINING = {"steps": 2, "batch_size": 2, "learning_rate": 0.01, "ema_decay": 0.5, "precision": "fp32"}
PLAIN = {"kind": "diffusion", "conditioning": "onehot_free", "mask_ablation": "sample", "training": TRAINING}
PLUS = {
    "prediction_type": "sample",
    "decoder": {"channels": (8, 8), "modulation_channels": 4},
    "losses": {"squared_error": 0, "energy_score": {"levels": 2}},
}


def denoiser(**more):
    model = DiffusionModel.model_validate(PLAIN | more)
    return make_learner(build_denoiser(model, 2, 16), model, 2, CPU), model


def regression():
    model = RegressionModel.model_validate(
        {"kind": "regression", "conditioning": "onehot", "unet": UNET, "training": TRAINING}
    )
    return RegressionLearner(MaskedDenoiser(model, 2, 16), model, 2, CPU), model


LEARNERS = {
    "diffusion": lambda: denoiser(unet=UNET),
    "decoder": lambda: denoiser(**PLUS),
    "regression": regression,
}


def batch():
    generator = torch.Generator().manual_seed(0)
    images_BHW = torch.randint(0, 255, (2, 16, 16), dtype=torch.uint8, generator=generator)
    return images_BHW, torch.randint(0, 3, (2, 16, 16), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_preview_is_of_the_averaged_weights_and_leaves_the_learner_as_it_was(kind):
    torch.manual_seed(0)
    learner, model = LEARNERS[kind]()
    images_BHW, masks_BHW = batch()
    images_of = images_by(f"{model.kind}_previews", learner, model, 0)
    made = []
    for step in range(2):
        learner.update(images_BHW, masks_BHW, torch.Generator().manual_seed(step))
        before = copy.deepcopy(learner.state_dict())
        made.append(images_of(masks_BHW, ["a", "b"]))
        torch.testing.assert_close(learner.state_dict(), before, atol=0, rtol=0)
        assert learner.network.training
    assert all(images.shape == (2, 16, 16) and images.dtype == torch.uint8 for images in made)
    assert not torch.equal(*made), "the weights differ"
    assert torch.equal(images_of(masks_BHW, ["a", "b"]), made[1]), "the noise does not"
    learner.finished_network()
    learner.descent.ema = None
    assert torch.equal(images_of(masks_BHW, ["a", "b"]), made[1]), "the weights are the averaged ones"
