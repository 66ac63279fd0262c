"""The noise schedule, the training loss (equation 1 of the paper) and sampling, on diffusers' schedulers.

Shape letters: B batch, C channels (1, or those of a latent), H height, W width. Images are scaled to [-1, 1].
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from segguided.config.models.diffusion import NoiseSchedule, PredictionType

Denoiser = Callable[[Tensor, Tensor, Tensor], Tensor]  # model(x_BCHW, t_B, mask_BHW) -> prediction_BCHW


class DiffusionSettings(Protocol):
    """The settings of a diffusion, of images or of latents."""

    @property
    def schedule(self) -> NoiseSchedule:
        """How noise grows."""

    @property
    def prediction_type(self) -> PredictionType:
        """What the network predicts."""


def schedule_arguments(model: DiffusionSettings) -> dict[str, Any]:
    """The noise schedule as every scheduler of diffusers takes it."""
    return {
        "num_train_timesteps": model.schedule.timesteps,
        "beta_start": model.schedule.beta_start,
        "beta_end": model.schedule.beta_end,
        "beta_schedule": model.schedule.growth,
        "prediction_type": model.prediction_type,
    }


def noise_schedule(model: DiffusionSettings) -> DDPMScheduler:
    """The forward process q(x_t | x0) the model is trained on."""
    return DDPMScheduler(**schedule_arguments(model))


def sample_noise(
    schedule: DDPMScheduler, x0_BCHW: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """eps of the shape of `x0_BCHW`, and t uniform over the schedule, shape (B,)."""
    device = x0_BCHW.device
    eps_BCHW = torch.randn(x0_BCHW.shape, generator=generator, device=device)
    t_B = torch.randint(
        0, schedule.config["num_train_timesteps"], (len(x0_BCHW),), generator=generator, device=device
    )
    return eps_BCHW, t_B


def loss(
    denoiser: Denoiser,
    schedule: DDPMScheduler,
    x0_BCHW: Tensor,
    mask_BHW: Tensor,
    eps_BCHW: Tensor,
    t_B: Tensor,
    min_snr_gamma: float | None = None,
) -> Tensor:
    """E w(t) ‖target − model(x_t, t | m)‖² over drawn eps and t: equation (1) of the paper where w = 1.

    The target is eps, v = √ᾱ·eps − √(1−ᾱ)·x0 (Salimans & Ho 2022), or x0 (`sample`).
    """
    x_BCHW = schedule.add_noise(x0_BCHW, eps_BCHW, t_B)
    target_BCHW = {
        "epsilon": lambda: eps_BCHW,
        "v_prediction": lambda: schedule.get_velocity(x0_BCHW, eps_BCHW, t_B),
        "sample": lambda: x0_BCHW,
    }[schedule.config["prediction_type"]]()
    error_B = (denoiser(x_BCHW, t_B, mask_BHW).float() - target_BCHW).square().mean((1, 2, 3))
    return (error_B * loss_weight(schedule, t_B, min_snr_gamma)).mean()


def loss_weight(schedule: DDPMScheduler, t_B: Tensor, min_snr_gamma: float | None) -> Tensor:
    """w(t), shape (B,): 1, or min-SNR-γ (Hang et al. 2023), which caps the weight of x0's error at γ.

    In terms of x0, the plain losses weigh by SNR = ᾱ/(1−ᾱ) (epsilon), SNR + 1 (v) and 1 (sample).
    """
    if min_snr_gamma is None:
        return torch.ones_like(t_B, dtype=torch.float32)
    alpha_bar_B = schedule.alphas_cumprod.to(t_B.device)[t_B]
    snr_B = alpha_bar_B / (1 - alpha_bar_B)
    plain_B = {"epsilon": snr_B, "v_prediction": snr_B + 1, "sample": torch.ones_like(snr_B)}
    return snr_B.clamp(max=min_snr_gamma) / plain_B[schedule.config["prediction_type"]]
