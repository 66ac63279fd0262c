"""The control: train_regression and generate_regression, on images that their masks do not decide."""

import numpy as np
import pytest
import torch

from generate_regression import generate_regression
from segguided.config.checks.sizes import misfits
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.regression import RegressionModel
from segguided.config.models.training import Training
from segguided.config.models.unet import Unet
from segguided.config.sampling import Generation
from segguided.data.slices import read_generated
from segguided.generation.diffusion import load_denoiser
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.regression import RegressionLearner, predict_image
from train_regression import train_regression

CPU = torch.device("cpu")
UNET = Unet(channels=(8, 16), norm_groups=4, layers_per_block=1)
TRAINING = Training(steps=120, batch_size=8, learning_rate=5e-3, precision="fp32")
MODEL = RegressionModel(kind="regression", conditioning="onehot", unet=UNET, training=TRAINING)


def generate(weights, slices, output, seed=0):
    generate_regression(weights, Generation(batch_size=8, precision="fp32"), [[slices]], [output], seed)
    images_SHW, _names = read_generated(output)
    return images_SHW


@pytest.fixture(scope="module")
def weights(slices):
    output = slices.parent / "model.safetensors"
    train_regression([slices], MODEL, 1, 0, output, 600)
    return output


def test_it_predicts_the_mean_of_what_a_mask_may_show(weights, slices, tmp_path):
    images_SHW = generate(weights, slices, tmp_path / "test.npz")
    inside = images_SHW[:, 6:10, 6:10].astype(float)
    assert np.abs(inside - 120).max() < 25, "neither 60 nor 180, the only grey levels that were seen"


def test_neither_seed_nor_mask_id_changes_an_image(weights, slices, tmp_path):
    first_SHW = generate(weights, slices, tmp_path / "first.npz", seed=0)
    second_SHW = generate(weights, slices, tmp_path / "second.npz", seed=1)
    assert np.array_equal(first_SHW, second_SHW)
    assert np.array_equal(first_SHW, np.broadcast_to(first_SHW[0], first_SHW.shape)), "all masks are equal"


def test_training_again_gives_the_same_bytes(weights, slices, tmp_path):
    train_regression([slices], MODEL, 1, 0, tmp_path / "model.safetensors", 600)
    assert (tmp_path / "model.safetensors").read_bytes() == weights.read_bytes()


def test_its_network_is_the_diffusion_model_s():
    settings = {"conditioning": "onehot", "unet": UNET, "training": TRAINING}
    diffusion = MaskedDenoiser(DiffusionModel(kind="diffusion", **settings), 3, 16)
    control = MaskedDenoiser(MODEL, 3, 16)
    shapes = [{name: p.shape for name, p in network.named_parameters()} for network in (diffusion, control)]
    assert shapes[0] == shapes[1]


def test_micro_batches_change_no_gradient():
    torch.manual_seed(0)
    images_BHW = torch.randint(0, 255, (4, 16, 16), dtype=torch.uint8)
    masks_BHW = torch.randint(0, 2, (4, 16, 16), dtype=torch.uint8)
    predicted = []
    for limit in (None, 2):
        torch.manual_seed(1)
        network = MaskedDenoiser(MODEL, 1, 16)
        model = MODEL.model_copy(update={"micro_batch_size": limit})
        RegressionLearner(network, model, 10, CPU).update(images_BHW, masks_BHW, torch.Generator())
        predicted.append(predict_image(network, masks_BHW))
    assert torch.allclose(predicted[0], predicted[1], atol=1e-4)


def test_what_samples_from_noise_refuses_it(weights):
    with pytest.raises(ValueError, match="is a regression model; expected an image-space diffusion model"):
        load_denoiser(weights, CPU)


def test_it_follows_a_mask_but_keeps_no_classes_and_has_no_steps():
    assert (MODEL.sees_a_mask, MODEL.denoises_under_a_mask, MODEL.timesteps) == (True, False, None)


def test_image_sizes_are_checked_as_for_diffusion():
    assert "choose a multiple of 2" in next(misfits("control", MODEL, 15))
    one_pixel = MODEL.model_copy(update={"unet": Unet(channels=(4, 4), norm_groups=4)})
    assert "too few to normalise" in next(misfits("control", one_pixel, 2))
