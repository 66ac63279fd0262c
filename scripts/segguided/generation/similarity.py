"""Adjustable similarity to a real image (section 3.2 of the paper): both are mixed at one time step.

Shape letters: M masks, B batch, C image channels (1), H height, W width.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor

from segguided.config.experiments import Similarity
from segguided.config.models.diffusion import DenoiserSettings
from segguided.config.sampling import Generation, Sampling
from segguided.data.slices import SliceSet
from segguided.devices import autocast
from segguided.generation.partial_masks import keep_classes
from segguided.generation.samplers.clipping import clip_as_stated
from segguided.generation.sampling import initial_noise, make_scheduler
from segguided.models import diffusion
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.signals import to_images, to_signal


@torch.inference_mode()
def interpolate(
    denoiser: diffusion.Denoiser,
    scheduler: DDIMScheduler,
    noise_BCHW: Tensor,
    noised_real_BCHW: Tensor,
    mask_BHW: Tensor,
    timestep: int,
    shares: Sequence[float],
) -> Iterator[Tensor]:
    """x0 in [-1, 1] for each λ of `shares`: sampled under `mask_BHW`, and mixed with the real image at t̂.

    x_t̂ is denoised from `noise_BCHW`; x'_t̂ is the real image noised to t̂ (`noised_real_BCHW`);
    x^λ = λ·x'_t̂ + (1−λ)·x_t̂ is denoised under the same mask. λ = 0 is the generated image itself.
    Raises ValueError where t̂ (`timestep`) is no time step of the scheduler.
    """
    steps = scheduler.timesteps.tolist()
    if timestep not in steps:
        raise ValueError(
            f"similarity.timestep {timestep} is none of the {len(steps)} sampling steps {steps[0]}, "
            f"{steps[1]}, …, {steps[-1]}; choose similarity.steps so that {timestep} is a multiple of "
            "(training timesteps // steps)"
        )
    position = steps.index(timestep)
    x_BCHW = _denoise(denoiser, scheduler, noise_BCHW, mask_BHW, steps[:position])
    for share in shares:
        mixed_BCHW = share * noised_real_BCHW + (1 - share) * x_BCHW
        yield _denoise(denoiser, scheduler, mixed_BCHW, mask_BHW, steps[position:]).clamp(-1, 1)


def _denoise(
    denoiser: diffusion.Denoiser,
    scheduler: DDIMScheduler,
    x_BCHW: Tensor,
    mask_BHW: Tensor,
    steps: Sequence[int],
) -> Tensor:
    for t in steps:
        t_B = torch.full((len(x_BCHW),), t, device=x_BCHW.device)
        x_BCHW = scheduler.step(denoiser(x_BCHW, t_B, mask_BHW).float(), t, x_BCHW).prev_sample
    return x_BCHW


def generate_by_similarity(
    network: MaskedDenoiser,
    model: DenoiserSettings,
    settings: Generation,
    slices: SliceSet,
    kept: Collection[int],
    similarity: Similarity,
    seed: int,
) -> dict[str, np.ndarray]:
    """Images (M, H, W) for λ = 0 and each of `similarity.lambdas`; only the classes `kept` constrain them.

    The sampler is DDIM, whose state at t̂ is a latent by itself.
    """
    ddim = Sampling(sampler="ddim", steps=similarity.steps, batch_size=settings.batch_size)
    scheduler = clip_as_stated(make_scheduler(model, ddim), model)
    forward = diffusion.noise_schedule(model)
    shares = (0.0, *similarity.lambdas)
    timestep = similarity.timestep
    batches: dict[str, list[np.ndarray]] = {f"{share:g}": [] for share in shares}
    for batch in _batches(slices, settings.batch_size, next(network.parameters()).device):
        noise_BCHW = batch.noise(seed)
        noised_real_BCHW = batch.noised_real(seed, forward, timestep)
        masks_BHW = keep_classes(batch.masks_BHW, kept)
        with autocast(noise_BCHW.device, settings.precision):
            mixed = interpolate(network, scheduler, noise_BCHW, noised_real_BCHW, masks_BHW, timestep, shares)
            for images, x0_BCHW in zip(batches.values(), mixed, strict=True):
                images.append(to_images(x0_BCHW).cpu().numpy())
    return {share: np.concatenate(images) for share, images in batches.items()}


@dataclass(frozen=True)
class _Batch:
    """Some slices on the device where images are generated."""

    names: Sequence[str]  # mask ids
    images_BHW: Tensor
    masks_BHW: Tensor

    def noise(self, seed: int, suffix: str = "") -> Tensor:
        """Noise (B, C, H, W) of each mask id with `suffix`, as `initial_noise` makes it."""
        ids = [name + suffix for name in self.names]
        return initial_noise(seed, ids, self.images_BHW.shape[-1]).to(self.images_BHW.device)

    def noised_real(self, seed: int, forward: DDPMScheduler, timestep: int) -> Tensor:
        """The real images, noised to `timestep` with noise of their own."""
        t_B = torch.full((len(self.names),), timestep, device=self.images_BHW.device)
        return forward.add_noise(to_signal(self.images_BHW), self.noise(seed, "#real"), t_B)


def _batches(slices: SliceSet, batch_size: int, device: torch.device) -> Iterator[_Batch]:
    for start in range(0, len(slices), batch_size):
        indices = np.arange(start, min(start + batch_size, len(slices)))
        images_BHW, masks_BHW = slices.batch(indices)
        yield _Batch(
            [slices.names[i] for i in indices],
            torch.from_numpy(images_BHW).to(device),
            torch.from_numpy(masks_BHW).to(device),
        )
