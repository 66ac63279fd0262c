"""Sampling images from a trained image-space diffusion model.

Shape letters: B batch, C image channels (1), H height, W width.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import UNet2DModel
from torch import Tensor

from segguided.config.models.diffusion import DenoiserSettings, DiffusionModel
from segguided.config.models.imported import ImportedModel
from segguided.config.sampling import Sampling
from segguided.devices import autocast, pick_device
from segguided.generation.clipping import clip_as_stated
from segguided.generation.sampling import initial_noise, make_scheduler, sample
from segguided.generation.sets import Sampler
from segguided.generation.step_ablation import StepAblatedDenoiser
from segguided.models.denoiser import ImportedDenoiser, MaskedDenoiser
from segguided.models.diffusion import Denoiser
from segguided.models.signals import to_images
from segguided.training.storage import load_weights, network_description


def load_denoiser(weights: Path, device: torch.device) -> tuple[MaskedDenoiser, DenoiserSettings]:
    """A trained or imported denoiser on `device`, and its settings.

    Raises ValueError for a model of another kind.
    """
    model: DiffusionModel | ImportedModel
    with network_description(weights) as description:
        n_classes = description["n_classes"]
        settings = description.get("model")
        match description["kind"]:
            case "diffusion":
                model = DiffusionModel.model_validate(settings)
                network = MaskedDenoiser(model, n_classes, description["image_size"])
            case "imported":
                model = ImportedModel.model_validate(settings)
                unet = UNet2DModel.from_config(description["unet"])
                network = ImportedDenoiser(unet, model.conditioning, n_classes)
            case kind:
                raise ValueError(f"{weights} is a {kind} model; expected an image-space diffusion model")
    load_weights(network, weights, device)
    return network, model


def make_sampler(network: MaskedDenoiser, model: DenoiserSettings, sampling: Sampling, seed: int) -> Sampler:
    """A function from masks to images, each from noise that is a function of (seed, mask id)."""
    scheduler = clip_as_stated(make_scheduler(model, sampling), model)
    device = next(network.parameters()).device

    def sampler(masks_BHW: Tensor, names: Sequence[str]) -> Tensor:
        noise_BCHW = initial_noise(seed, names, masks_BHW.shape[-1]).to(device)
        denoiser: Denoiser = network
        if sampling.mask_ablation == "step":
            denoiser = StepAblatedDenoiser(network, network.encoder.n_classes, seed, names)
        with autocast(device, sampling.precision):
            x0_BCHW = sample(denoiser, scheduler, noise_BCHW, masks_BHW.to(device))
        return to_images(x0_BCHW)

    return sampler


def load_sampler(weights: Path, sampling: Sampling, seed: int) -> Sampler:
    """The sampler of a trained or imported denoiser, on the accelerator where there is one.

    Raises ValueError for a model of another kind.
    """
    network, model = load_denoiser(weights, pick_device())
    return make_sampler(network, model, sampling, seed)
