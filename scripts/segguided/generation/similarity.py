"""Adjustable similarity to a real image (section 3.2 of the paper): both are mixed at one time step.

Shape letters: M masks, B batch, C image channels, H height, W width.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor

from segguided.config.experiments import Mixing, Similarity
from segguided.config.models.diffusion import DenoiserSettings
from segguided.config.sampling import Generation, Sampling
from segguided.data.slices import SliceSet
from segguided.devices import autocast
from segguided.generation.masks.tissues import tissue_painter
from segguided.generation.partial_masks import GivenClasses, numbered
from segguided.generation.samplers.clipping import clip_as_stated
from segguided.generation.samplers.free_flags import with_free_classes
from segguided.generation.samplers.renoising import Renoiser
from segguided.generation.sampling import initial_noise, make_scheduler
from segguided.generation.variants import SEPARATOR
from segguided.models import diffusion
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.signals import to_images, to_signal

SimilaritySampler = Literal["ddim", "renoise"]


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


@torch.inference_mode()
def interpolate_in_two_calls(
    denoiser: diffusion.Denoiser, renoiser: Renoiser, batch: "Batch", timestep: int, shares: Sequence[float]
) -> Iterator[Tensor]:
    """The same for a model that samples with fresh noise: one call from noise, and one at t̂ for each λ.

    Both images get the same noise at t̂, so that λ·x'_t̂ + (1−λ)·x_t̂ has as much noise as the network expects
    there: it is the noised λ·x0 + (1−λ)·x̂0.
    """
    masks_BHW = batch.masks_BHW
    generated_BCHW = renoiser.first(denoiser, batch.noise_BCHW, masks_BHW)
    for share in shares:
        mixed_BCHW = share * to_signal(batch.images_BHW) + (1 - share) * generated_BCHW
        eps_BCHW = batch.real_noise_BCHW
        yield renoiser.again(denoiser, mixed_BCHW, eps_BCHW, timestep, masks_BHW, batch.names, number=1)


def generate_by_similarity(
    network: MaskedDenoiser,
    model: DenoiserSettings,
    settings: Generation,
    slices: SliceSet,
    given: GivenClasses,
    similarity: Similarity,
    seed: int,
    sampler: SimilaritySampler = "ddim",
) -> dict[str, np.ndarray]:
    """Images (M, H, W) of the variants `λ/number`, for λ = 0 and each of `similarity.lambdas`.

    The classes `given` constrain them. By default the sampler is DDIM, whose state at t̂ is a latent by
    itself; `renoise` takes two calls. `number` counts the `similarity.samples_per_mask` images of a mask and
    λ, which differ in all their noise.
    """
    shares = (0.0, *similarity.lambdas)
    denoiser = with_free_classes(network, given.free)
    interpolated = interpolation(denoiser, model, settings, similarity, seed, sampler, network.channels)
    device = next(network.parameters()).device
    draw_tissues = tissue_painter(network, seed, settings.precision)

    def see(masks_BHW: Tensor, names: Sequence[str], _: np.ndarray) -> Tensor:
        return draw_tissues(masks_BHW, names)

    numbers = range(similarity.samples_per_mask)
    images: dict[str, list[np.ndarray]] = {
        f"{share:g}{SEPARATOR}{number}": [] for share in shares for number in numbers
    }
    for number in numbers:
        for batch in batches(slices, settings.batch_size, given, seed, device, number, see):
            with autocast(device, settings.precision):
                for share, x0_BCHW in zip(shares, interpolated(batch, shares), strict=True):
                    variant = f"{share:g}{SEPARATOR}{number}"
                    images[variant].append(to_images(x0_BCHW).cpu().numpy())
    return {variant: np.concatenate(batches) for variant, batches in images.items()}


def interpolation(
    denoiser: diffusion.Denoiser,
    model: DenoiserSettings,
    settings: Generation,
    mixing: Mixing,
    seed: int,
    sampler: SimilaritySampler,
    channels: int = 1,
) -> Callable[["Batch", Sequence[float]], Iterator[Tensor]]:
    """A function that gives x0 for each λ of a batch; `channels`: those of an image."""
    t = mixing.timestep
    if sampler == "renoise":
        renoiser = Renoiser(model, 1, seed, channels)
        return lambda batch, shares: interpolate_in_two_calls(denoiser, renoiser, batch, t, shares)
    ddim = Sampling(sampler="ddim", steps=mixing.steps, batch_size=settings.batch_size)
    scheduler = clip_as_stated(make_scheduler(model, ddim), model)
    forward = diffusion.noise_schedule(model)

    def interpolated(batch: Batch, shares: Sequence[float]) -> Iterator[Tensor]:
        noised_real_BCHW = batch.noised_real(forward, t)
        return interpolate(
            denoiser, scheduler, batch.noise_BCHW, noised_real_BCHW, batch.masks_BHW, t, shares
        )

    return interpolated


# Masks (B, H, W), the ids of their noise, and which of all slices they are -> masks as the network sees them.
See = Callable[[Tensor, Sequence[str], np.ndarray], Tensor]


@dataclass(frozen=True)
class Batch:
    """Some slices on the device where images are generated."""

    names: Sequence[str]  # of the noise: the mask ids, with `#number` of further images
    images_BHW: Tensor
    masks_BHW: Tensor  # as they constrain the images
    noise_BCHW: Tensor  # from which generated images begin, a function of (seed, mask id)
    real_noise_BCHW: Tensor  # that is added to the real images

    def noised_real(self, forward: DDPMScheduler, timestep: int) -> Tensor:
        """The real images, noised to `timestep` with noise of their own."""
        t_B = torch.full((len(self.images_BHW),), timestep, device=self.images_BHW.device)
        return forward.add_noise(to_signal(self.images_BHW), self.real_noise_BCHW, t_B)


def batches(
    slices: SliceSet,
    batch_size: int,
    given: GivenClasses,
    seed: int,
    device: torch.device,
    number: int,
    see: See,
) -> Iterator[Batch]:
    """The slices in batches, with masks that hold the classes `given`; `number` counts images of a mask.

    `see` turns the masks into what the network sees.
    """
    for start in range(0, len(slices), batch_size):
        indices = np.arange(start, min(start + batch_size, len(slices)))
        images_BHW, masks_BHW = slices.batch(indices)
        names = numbered([slices.names[i] for i in indices], number)
        size = masks_BHW.shape[-1]
        yield Batch(
            names,
            torch.from_numpy(images_BHW).to(device),
            see(given.masks(torch.from_numpy(masks_BHW), names).to(device), names, indices),
            initial_noise(seed, names, size, slices.channels).to(device),
            initial_noise(seed, [f"{name}#real" for name in names], size, slices.channels).to(device),
        )
