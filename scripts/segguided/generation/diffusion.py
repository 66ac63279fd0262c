"""Sampling images from a trained image-space diffusion model.

Shape letters: B batch, K mask values, C image channels, H height, W width.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import torch
from diffusers import UNet2DModel
from torch import Tensor

from segguided.config.models.diffusion import DenoiserSettings, DiffusionModel
from segguided.config.models.imported import ImportedModel
from segguided.config.sampling import Sampling
from segguided.devices import autocast, pick_device
from segguided.generation.masks.tissues import tissue_painter
from segguided.generation.samplers.clipping import clip_as_stated
from segguided.generation.samplers.free_flags import with_free_classes
from segguided.generation.samplers.guidance import GuidedDenoiser
from segguided.generation.samplers.renoising import Renoiser
from segguided.generation.samplers.step_ablation import StepAblatedDenoiser
from segguided.generation.sampling import initial_noise, make_scheduler, sample
from segguided.generation.sets import Sampler
from segguided.models.denoiser import ImportedDenoiser, MaskedDenoiser, build_denoiser
from segguided.models.diffusion import Denoiser
from segguided.models.signals import to_images
from segguided.models.tissues.division import Division
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
                channels = description.get("channels", 1)
                entry = description.get("tissues")
                division = Division.from_entry(entry) if entry else None
                network = build_denoiser(model, n_classes, description["image_size"], channels, division)
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
    sample_x0 = _x0_sampler(model, sampling, seed, network.channels)
    device = next(network.parameters()).device
    n_classes = network.encoder.n_classes
    draw_tissues = tissue_painter(network, seed, sampling.precision)

    def sampler(masks_BHW: Tensor, names: Sequence[str], free: Collection[int] = ()) -> Tensor:
        denoiser = with_free_classes(network, free)
        if sampling.mask_ablation == "step":
            denoiser = StepAblatedDenoiser(network, n_classes, seed, names, free)
        if sampling.guidance:
            of_none = with_free_classes(network, range(1, n_classes + 1))
            denoiser = GuidedDenoiser(denoiser, of_none, sampling.guidance)
        with autocast(device, sampling.precision):
            x0_BCHW = sample_x0(denoiser, draw_tissues(masks_BHW.to(device), names), names)
        return to_images(x0_BCHW)

    return sampler


X0Sampler = Callable[[Denoiser, Tensor, Sequence[str]], Tensor]  # denoiser, masks_BHW, mask ids -> x0_BCHW


def _x0_sampler(model: DenoiserSettings, sampling: Sampling, seed: int, channels: int) -> X0Sampler:
    """x0 in [-1, 1] of each mask, by the configured sampler, from noise of (seed, mask id)."""
    if sampling.sampler == "renoise":
        return Renoiser(model, sampling.steps, seed, channels).sample
    scheduler = clip_as_stated(make_scheduler(model, sampling), model)

    def sample_x0(denoiser: Denoiser, masks_BHW: Tensor, names: Sequence[str]) -> Tensor:
        noise_BCHW = initial_noise(seed, names, masks_BHW.shape[-1], channels).to(masks_BHW.device)
        return sample(denoiser, scheduler, noise_BCHW, masks_BHW)

    return sample_x0


def load_sampler(weights: Path, sampling: Sampling, seed: int) -> Sampler:
    """The sampler of a trained or imported denoiser, on the accelerator where there is one.

    Raises ValueError for a model of another kind.
    """
    network, model = load_denoiser(weights, pick_device())
    return make_sampler(network, model, sampling, seed)
