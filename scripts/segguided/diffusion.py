"""The noise schedule, the training loss (equation 1 of the paper) and sampling, on diffusers' schedulers.

Shape letters: B batch, C channels (1, or those of a latent), H height, W width. Images are scaled to [-1, 1].
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from segguided.config.models import NoiseSchedule, PredictionType, Sampling

Denoiser = Callable[[Tensor, Tensor, Tensor], Tensor]  # model(x_BCHW, t_B, mask_BHW) -> prediction_BCHW


class Process(Protocol):
    """The settings of a diffusion, of images or of latents."""

    @property
    def schedule(self) -> NoiseSchedule:
        """How noise grows."""

    @property
    def prediction_type(self) -> PredictionType:
        """What the network predicts."""


def _schedule(model: Process) -> dict[str, Any]:
    return {
        "num_train_timesteps": model.schedule.timesteps,
        "beta_start": model.schedule.beta_start,
        "beta_end": model.schedule.beta_end,
        "beta_schedule": model.schedule.growth,
        "prediction_type": model.prediction_type,
    }


def noise_schedule(model: Process) -> DDPMScheduler:
    """The forward process q(x_t | x0) the model is trained on."""
    return DDPMScheduler(**_schedule(model))


def draw_noise(schedule: DDPMScheduler, x0_BCHW: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
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


def initial_noise(seed: int, names: Sequence[str], size: int, channels: int = 1) -> Tensor:
    """x_T of each image (B, channels, size, size), a function of (seed, mask id) alone.

    Drawn on the CPU by NumPy's Philox, so it is the same on every device, in any batch and any order.
    """
    return torch.stack([torch.from_numpy(_noise(seed, name, (channels, size, size))) for name in names])


def _noise(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    key = blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest()
    philox = np.random.Philox(key=np.frombuffer(key, np.uint64))
    return np.random.Generator(philox).standard_normal(shape, np.float32)


def ddim_scheduler(model: Process, timestep_spacing: str, *, bounded: bool = True) -> DDIMScheduler:
    """diffusers' DDIM scheduler (η = 0) of the model's noise schedule; `bounded`: x0 lies in [-1, 1]."""
    return DDIMScheduler(**_schedule(model), timestep_spacing=timestep_spacing, clip_sample=bounded)


def make_sampler(
    model: Process, sampling: Sampling, *, bounded: bool = True
) -> DDIMScheduler | DPMSolverMultistepScheduler:
    """diffusers' scheduler for the configured sampler, its timesteps set; `bounded`: x0 lies in [-1, 1]."""
    if sampling.sampler == "ddim":
        scheduler = ddim_scheduler(model, sampling.timestep_spacing, bounded=bounded)
    else:
        scheduler = DPMSolverMultistepScheduler(
            **_schedule(model),
            timestep_spacing=sampling.timestep_spacing,
            algorithm_type="dpmsolver++",
            solver_order=2,
        )
    if sampling.steps > model.schedule.timesteps:
        raise ValueError(
            f"sampling.steps is {sampling.steps}, but the schedule has {model.schedule.timesteps} timesteps"
        )
    scheduler.set_timesteps(sampling.steps)
    return scheduler


@torch.inference_mode()
def sample(
    denoiser: Denoiser,
    scheduler: DDIMScheduler | DPMSolverMultistepScheduler,
    x_BCHW: Tensor,
    mask_BHW: Tensor,
    *,
    bounded: bool = True,
) -> Tensor:
    """x0 from the initial noise `x_BCHW`, under the same mask at every step; `bounded`: cut to [-1, 1]."""
    scheduler.set_timesteps(
        scheduler.num_inference_steps, device=x_BCHW.device
    )  # a multistep solver keeps history
    for t in scheduler.timesteps:
        prediction = denoiser(x_BCHW, t.expand(len(x_BCHW)), mask_BHW).float()
        x_BCHW = scheduler.step(prediction, t, x_BCHW).prev_sample
    return x_BCHW.clamp(-1, 1) if bounded else x_BCHW
