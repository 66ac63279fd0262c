"""Sampling images from a trained SPADE generator; a change here retrains nothing.

Shape letters: B batch, H height, W width.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from segguided.config.models.spade import SpadeModel
from segguided.config.models.training import Precision
from segguided.devices import autocast
from segguided.generation.sets import Sampler
from segguided.models.signals import to_images
from segguided.models.spade import Generator
from segguided.training.storage import load_weights, network_description


def load_generator(weights: Path, device: torch.device) -> Generator:
    """A trained generator on `device`; its spectral normalisation is in its weights."""
    with network_description(weights) as description:
        settings = SpadeModel.model_validate(description["model"]).generator
        network = Generator(settings, description["n_classes"], description["image_size"])
    load_weights(network, weights, device)
    return network


def make_sampler(generator: Generator, precision: Precision) -> Sampler:
    """A function from masks to images; the mask ids change nothing."""
    device = next(generator.parameters()).device

    @torch.inference_mode()
    def sampler(masks_BHW: Tensor, _names: Sequence[str]) -> Tensor:
        with autocast(device, precision):
            return to_images(generator(masks_BHW.to(device)))

    return sampler
