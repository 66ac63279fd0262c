"""The noise schedule and the training loss (equation 1 of the paper), on diffusers' schedulers.

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
    """The settings that every diffusion model has, of images or of latents."""

    @property
    def schedule(self) -> NoiseSchedule:
        """How the noise grows with t."""

    @property
    def prediction_type(self) -> PredictionType:
        """What the network predicts."""


def schedule_arguments(settings: DiffusionSettings) -> dict[str, Any]:
    """The noise schedule as arguments of any scheduler of diffusers."""
    return {
        "num_train_timesteps": settings.schedule.timesteps,
        "beta_start": settings.schedule.beta_start,
        "beta_end": settings.schedule.beta_end,
        "beta_schedule": settings.schedule.growth,
        "prediction_type": settings.prediction_type,
    }


def noise_schedule(settings: DiffusionSettings) -> DDPMScheduler:
    """The forward process q(x_t | x0) that a model is trained on."""
    return DDPMScheduler(**schedule_arguments(settings))


def sample_noise(
    schedule: DDPMScheduler, x0_BCHW: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Random noise eps, shaped as `x0_BCHW`, and random times t, uniform over the schedule, shape (B,)."""
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
    """The mean of w(t) ‖target − model(x_t, t | m)‖² over the batch: equation (1) of the paper if w = 1.

    The target is eps, v = √ᾱ·eps − √(1−ᾱ)·x0 (Salimans & Ho 2022), or x0 (`sample`).
    """
    x_BCHW = schedule.add_noise(x0_BCHW, eps_BCHW, t_B)
    target_BCHW = _target(schedule, x0_BCHW, eps_BCHW, t_B)
    error_B = (denoiser(x_BCHW, t_B, mask_BHW).float() - target_BCHW).square().mean((1, 2, 3))
    return (error_B * loss_weight(schedule, t_B, min_snr_gamma)).mean()


def _target(schedule: DDPMScheduler, x0_BCHW: Tensor, eps_BCHW: Tensor, t_B: Tensor) -> Tensor:
    """What the network should predict."""
    if schedule.config["prediction_type"] == "v_prediction":
        return schedule.get_velocity(x0_BCHW, eps_BCHW, t_B)
    return eps_BCHW if schedule.config["prediction_type"] == "epsilon" else x0_BCHW


def loss_weight(schedule: DDPMScheduler, t_B: Tensor, min_snr_gamma: float | None) -> Tensor:
    """w(t), shape (B,): 1, or min-SNR-γ (Hang et al. 2023), which limits the weight of x0's error to γ.

    The plain losses, written as errors of x0, have the weights SNR = ᾱ/(1−ᾱ) (epsilon), SNR + 1 (v) and
    1 (sample).
    """
    if min_snr_gamma is None:
        return torch.ones_like(t_B, dtype=torch.float32)
    alpha_bar_B = schedule.alphas_cumprod.to(t_B.device)[t_B]
    snr_B = alpha_bar_B / (1 - alpha_bar_B)
    plain_B = {"epsilon": snr_B, "v_prediction": snr_B + 1, "sample": torch.ones_like(snr_B)}
    return snr_B.clamp(max=min_snr_gamma) / plain_B[schedule.config["prediction_type"]]
