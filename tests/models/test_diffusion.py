"""The noise schedule and the loss, against formulas written out here."""

import numpy as np
import pytest
import torch

from segguided.config.models.diffusion import NoiseSchedule
from segguided.models import diffusion
from segguided.models.signals import to_images, to_signal
from support.tiny_models import diffusion_model as model


def alpha_bars():
    return np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))


def test_images_and_signal_are_inverse():
    images_BHW = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    assert torch.equal(to_images(to_signal(images_BHW)), images_BHW)
    assert to_signal(images_BHW).aminmax() == (-1, 1)


def predict_zero(x_BCHW, _t, _mask):
    return torch.zeros_like(x_BCHW)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_loss_is_zero_for_the_perfect_prediction_and_follows_the_formula(prediction_type):
    x0_BCHW = torch.rand(3, 1, 8, 8) * 2 - 1
    mask_BHW = torch.zeros(3, 8, 8, dtype=torch.uint8)
    alpha_bar = torch.from_numpy(alpha_bars())

    def oracle(x_BCHW, t_B, _mask):
        a_B111 = alpha_bar[t_B].view(-1, 1, 1, 1)
        eps = (x_BCHW - a_B111.sqrt() * x0_BCHW) / (1 - a_B111).sqrt()
        if prediction_type == "epsilon":
            return eps
        if prediction_type == "sample":
            return x0_BCHW
        return a_B111.sqrt() * eps - (1 - a_B111).sqrt() * x0_BCHW

    schedule = diffusion.noise_schedule(model(prediction_type))
    eps_BCHW, t_B = diffusion.sample_noise(schedule, x0_BCHW, torch.Generator().manual_seed(0))
    assert diffusion.loss(oracle, schedule, x0_BCHW, mask_BHW, eps_BCHW, t_B) < 1e-6
    assert diffusion.loss(predict_zero, schedule, x0_BCHW, mask_BHW, eps_BCHW, t_B) > 0.05


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_min_snr_weighs_the_error_of_x0_alike_whatever_is_predicted(prediction_type):
    """A network whose x0 is off by d must pay min(SNR, γ)·d², in each of the three parametrisations."""
    schedule = diffusion.noise_schedule(model(prediction_type))
    t_B = torch.tensor([0, 20, 200, 600, 999])
    alpha_bar_B = torch.from_numpy(alpha_bars())[t_B]
    snr_B = alpha_bar_B / (1 - alpha_bar_B)
    squared_B = {"epsilon": snr_B, "v_prediction": 1 / (1 - alpha_bar_B), "sample": torch.ones(5)}[
        prediction_type
    ]
    paid_B = diffusion.loss_weight(schedule, t_B, 5.0) * squared_B
    assert torch.allclose(paid_B.double(), snr_B.clamp(max=5), rtol=1e-3)
    assert torch.equal(diffusion.loss_weight(schedule, t_B, None), torch.ones(5))


def test_stable_diffusions_schedule_equals_its_formula():
    """Rombach et al. 2022: the square root of β is linear."""
    process = model().model_copy(
        update={"schedule": NoiseSchedule(growth="scaled_linear", beta_start=0.00085, beta_end=0.012)}
    )
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    assert np.allclose(diffusion.noise_schedule(process).alphas_cumprod, np.cumprod(1 - betas), rtol=1e-4)
