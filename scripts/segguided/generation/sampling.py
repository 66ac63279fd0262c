"""Sampling from a diffusion model with diffusers' schedulers: the initial noise, the steps, x0.

Shape letters: B batch, C channels (1, or those of a latent), H height, W width. Images are scaled to [-1, 1].
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from segguided.config.sampling import Sampling
from segguided.models.diffusion import Denoiser, DiffusionSettings, schedule_arguments

Scheduler: TypeAlias = DDIMScheduler | DPMSolverMultistepScheduler


def initial_noise(seed: int, names: Sequence[str], size: int, channels: int = 1) -> Tensor:
    """x_T of each image (B, channels, size, size), a function of (seed, mask id) alone."""
    return noise_of(seed, names, (channels, size, size))


def noise_of(seed: int, names: Sequence[str], shape: tuple[int, ...], *parts: str | int) -> Tensor:
    """Gaussian noise (B, *shape), a function of (seed, mask id, `parts`) alone.

    NumPy's Philox makes it on the CPU, so it is the same on every device, in any batch and any order.
    """
    noises = [random_numbers(seed, name, *parts).standard_normal(shape, np.float32) for name in names]
    return torch.from_numpy(np.stack(noises))


def random_numbers(seed: int, *parts: str | int) -> np.random.Generator:
    """A source of random numbers that is a function of the seed and the `parts` alone, on every machine."""
    key = blake2b("\0".join(map(str, (seed, *parts))).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key, np.uint64)))


def ddim_scheduler(model: DiffusionSettings, timestep_spacing: str, *, bounded: bool = True) -> DDIMScheduler:
    """diffusers' DDIM scheduler (η = 0) of the model's noise schedule; `bounded`: x0 is cut to [-1, 1]."""
    return DDIMScheduler(**schedule_arguments(model), timestep_spacing=timestep_spacing, clip_sample=bounded)


def make_scheduler(model: DiffusionSettings, sampling: Sampling, *, bounded: bool = True) -> Scheduler:
    """diffusers' scheduler of the configured sampler, timesteps set; `bounded`: x0 is cut to [-1, 1].

    Raises ValueError for more sampling steps than the noise schedule has timesteps.
    """
    if sampling.steps > model.schedule.timesteps:
        raise ValueError(
            f"sampling.steps is {sampling.steps}, but the schedule has {model.schedule.timesteps} timesteps"
        )
    if sampling.sampler == "renoise":
        raise ValueError(
            "sampling.sampler is renoise, which models of latents do not have; choose ddim or dpm-solver++"
        )
    if sampling.sampler == "ddim":
        scheduler = ddim_scheduler(model, sampling.timestep_spacing, bounded=bounded)
    else:
        scheduler = DPMSolverMultistepScheduler(
            **schedule_arguments(model),
            timestep_spacing=sampling.timestep_spacing,
            algorithm_type="dpmsolver++",
            solver_order=2,
        )
    scheduler.set_timesteps(sampling.steps)
    return scheduler


@torch.inference_mode()
def sample(
    denoiser: Denoiser,
    scheduler: Scheduler,
    x_BCHW: Tensor,
    mask_BHW: Tensor,
    *,
    bounded: bool = True,
) -> Tensor:
    """x0 from the initial noise `x_BCHW`, given the same mask at every step; `bounded`: cut to [-1, 1]."""
    # A multistep solver keeps a history of the batch before; setting the timesteps again clears it.
    scheduler.set_timesteps(scheduler.num_inference_steps, device=x_BCHW.device)
    for t in scheduler.timesteps:
        prediction = denoiser(x_BCHW, t.expand(len(x_BCHW)), mask_BHW).float()
        x_BCHW = scheduler.step(prediction, t, x_BCHW).prev_sample
    return x_BCHW.clamp(-1, 1) if bounded else x_BCHW
