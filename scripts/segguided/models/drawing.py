"""Drawing images from a trained image-space diffusion model.

Shape letters: B batch, C image channels (1), H height, W width.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from segguided import diffusion
from segguided.config.models import DiffusionModel, Sampling
from segguided.devices import autocast
from segguided.generation import Draw
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.storage import load_weights, read_description
from segguided.signals import to_images


def load_denoiser(weights: Path, device: torch.device) -> tuple[MaskedDenoiser, DiffusionModel]:
    """A trained denoiser on `device`, and its settings."""
    description = read_description(weights)
    model = DiffusionModel.model_validate(description["model"])
    network = MaskedDenoiser(model, description["n_classes"], description["image_size"])
    load_weights(network, weights, device)
    return network, model


def make_draw(network: MaskedDenoiser, model: DiffusionModel, sampling: Sampling, seed: int) -> Draw:
    """A function that draws an image for each mask, from noise that is a function of (seed, mask id)."""
    sampler, device = diffusion.make_sampler(model, sampling), next(network.parameters()).device

    def draw(masks_BHW: Tensor, names: Sequence[str]) -> Tensor:
        noise_BCHW = diffusion.initial_noise(seed, names, masks_BHW.shape[-1]).to(device)
        with autocast(device, sampling.precision):
            x0_BCHW = diffusion.sample(network, sampler, noise_BCHW, masks_BHW.to(device))
        return to_images(x0_BCHW)

    return draw
