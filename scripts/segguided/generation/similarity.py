"""Adjustable similarity to a real image (section 3.2 of the paper): latents of both mixed at one time step.

Shape letters: M masks, B batch, C image channels (1), H height, W width.
"""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from segguided.config.experiments import Similarity
from segguided.config.models.diffusion import DenoiserSettings
from segguided.config.sampling import Generation, Sampling
from segguided.data.slices import SliceSet
from segguided.devices import autocast
from segguided.generation.clipping import clip_as_stated
from segguided.generation.partial_masks import keep_classes
from segguided.generation.sampling import initial_noise, make_sampler
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
    """x0 in [-1, 1] for each λ of `shares`: drawn from `mask_BHW`, mixed with the real image at t̂.

    x_t̂ is denoised from `noise_BCHW`; x'_t̂ is the real image noised to t̂ (`noised_real_BCHW`);
    x^λ = λ·x'_t̂ + (1−λ)·x_t̂ is denoised under the same mask. λ = 0 is the generated image itself.
    Raises ValueError where t̂ is no time step of the scheduler.
    """
    steps = scheduler.timesteps.tolist()
    if timestep not in steps:
        raise ValueError(
            f"similarity.timestep {timestep} is none of the {len(steps)} sampling steps {steps[0]}, "
            f"{steps[1]}, …, {steps[-1]}; choose similarity.steps so that {timestep} is a multiple of "
            "(training timesteps // steps)"
        )
    where = steps.index(timestep)
    x_BCHW = _denoise(denoiser, scheduler, noise_BCHW, mask_BHW, steps[:where])
    for share in shares:
        mixed_BCHW = share * noised_real_BCHW + (1 - share) * x_BCHW
        yield _denoise(denoiser, scheduler, mixed_BCHW, mask_BHW, steps[where:]).clamp(-1, 1)


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


def draw_similar(
    network: MaskedDenoiser,
    model: DenoiserSettings,
    drawing: Generation,
    slices: SliceSet,
    kept: Collection[int],
    similarity: Similarity,
    seed: int,
) -> dict[str, np.ndarray]:
    """Images (M, H, W) for λ = 0 and each of `similarity.lambdas`, with only the classes `kept` constrained.

    The sampler is DDIM, whose state at t̂ is a latent by itself.
    """
    ddim = Sampling(sampler="ddim", steps=similarity.steps, batch_size=drawing.batch_size)
    scheduler = clip_as_stated(make_sampler(model, ddim), model)
    forward = diffusion.noise_schedule(model)
    device, shares = next(network.parameters()).device, (0.0, *similarity.lambdas)
    drawn: dict[str, list[np.ndarray]] = {f"{share:g}": [] for share in shares}
    for start in range(0, len(slices), drawing.batch_size):
        indices = np.arange(start, min(start + drawing.batch_size, len(slices)))
        images_BHW, masks_BHW = (torch.from_numpy(a).to(device) for a in slices.batch(indices))
        names, size = [slices.names[i] for i in indices], images_BHW.shape[-1]
        noise_BCHW = initial_noise(seed, names, size).to(device)
        eps_BCHW = initial_noise(seed, [f"{name}#real" for name in names], size).to(device)
        at = torch.full((len(names),), similarity.timestep, device=device)
        noised_BCHW = forward.add_noise(to_signal(images_BHW), eps_BCHW, at)
        partial_BHW = keep_classes(masks_BHW, kept)
        with autocast(device, drawing.precision):
            mixed = interpolate(
                network, scheduler, noise_BCHW, noised_BCHW, partial_BHW, similarity.timestep, shares
            )
            for images, x0_BCHW in zip(drawn.values(), mixed, strict=True):
                images.append(to_images(x0_BCHW).cpu().numpy())
    return {share: np.concatenate(images) for share, images in drawn.items()}
