"""Sampling images from a trained ControlNet pipeline; a change here retrains nothing.

Shape letters: B batch, C latent channels, H height, W width of image and mask.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import Tensor

from segguided.config.models.controlnet import LatentTraining
from segguided.config.sampling import Sampling
from segguided.devices import autocast
from segguided.generation.sampling import initial_noise, make_scheduler, sample
from segguided.generation.sets import Sampler
from segguided.models.controlnet.autoencoder import decode, downsampling
from segguided.models.controlnet.control import ControlledDenoiser, LatentPipeline
from segguided.models.controlnet.latent import LatentDenoiser
from segguided.models.masks import MaskEncoder
from segguided.models.signals import to_images
from segguided.training.storage import load_weights, network_description


def load_pipeline(weights: Path, device: torch.device) -> tuple[LatentPipeline, LatentTraining]:
    """A trained pipeline on `device`, in evaluation mode, and the diffusion it was trained on."""
    with network_description(weights) as description:
        parts = description["networks"]
        process = LatentTraining.model_validate(description["latent"])
        unet = UNet2DConditionModel.from_config(parts["unet"])
        denoiser = ControlledDenoiser(
            LatentDenoiser(unet, torch.empty(parts["prompt_shape"])),
            ControlNetModel.from_config(parts["control"]),
            MaskEncoder(parts["conditioning"], description["n_classes"]),
        )
        autoencoder = AutoencoderKL.from_config(parts["autoencoder"])
        channels = description.get("channels", 1)
        pipeline = LatentPipeline(autoencoder, denoiser, parts["scaling_factor"], channels)
    load_weights(pipeline, weights, device)
    return pipeline, process


def make_sampler(pipeline: LatentPipeline, process: LatentTraining, sampling: Sampling, seed: int) -> Sampler:
    """A function from masks to images, each from noise that is a function of (seed, mask id)."""
    scheduler = make_scheduler(process, sampling, bounded=False)
    device = next(pipeline.parameters()).device
    pixels_per_latent = downsampling(pipeline.autoencoder)  # along each side
    channels = pipeline.autoencoder.config["latent_channels"]

    def sampler(masks_BHW: Tensor, names: Sequence[str], free: Collection[int] = ()) -> Tensor:
        latent_size = masks_BHW.shape[-1] // pixels_per_latent
        noise_BCHW = initial_noise(seed, names, latent_size, channels).to(device)
        with autocast(device, sampling.precision):
            z_BCHW = sample(pipeline.denoiser, scheduler, noise_BCHW, masks_BHW.to(device), bounded=False)
        with torch.inference_mode():
            x_BCHW = decode(pipeline.autoencoder, z_BCHW / pipeline.scaling_factor, pipeline.channels)
            return to_images(x_BCHW)

    return sampler
