"""Sets of generated images: one image for each mask, each from noise that is its own."""

import logging

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from segguided import diffusion
from segguided.config.models import DiffusionModel, Sampling
from segguided.data.slices import SliceSet
from segguided.devices import autocast

LOG = logging.getLogger("segguided")


def generate(
    network: nn.Module,
    model: DiffusionModel,
    sampling: Sampling,
    slices: SliceSet,
    seed: int,
    device: torch.device,
) -> np.ndarray:
    """An image for every mask of `slices`, (S, H, W) uint8, in the order of `slices.names`."""
    sampler = diffusion.make_sampler(model, sampling)
    starts = range(0, len(slices), sampling.batch_size)
    images = []
    for start in tqdm(starts, desc="generating", disable=None, unit="batch"):
        indices = np.arange(start, min(start + sampling.batch_size, len(slices)))
        _, masks_BHW = slices.batch(indices)
        names = [slices.names[i] for i in indices]
        noise_BCHW = diffusion.initial_noise(seed, names, masks_BHW.shape[-1]).to(device)
        with autocast(device, sampling.precision):
            x0_BCHW = diffusion.sample(network, sampler, noise_BCHW, torch.from_numpy(masks_BHW).to(device))
        images.append(diffusion.to_images(x0_BCHW).cpu().numpy())
        LOG.info("generated %d of %d images", indices[-1] + 1, len(slices))
    return np.concatenate(images)
