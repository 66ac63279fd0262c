"""Images of a trained regression, the control: one call for each mask, without noise.

Shape letters: B batch, H height, W width.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from segguided.config.models.regression import RegressionModel
from segguided.config.models.training import Precision
from segguided.devices import autocast
from segguided.generation.sets import Sampler
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.regression import predict_image
from segguided.models.signals import to_images
from segguided.training.storage import load_weights, network_description


def load_regression(weights: Path, device: torch.device) -> MaskedDenoiser:
    """A trained network on `device`."""
    with network_description(weights) as description:
        model = RegressionModel.model_validate(description["model"])
        network = MaskedDenoiser(model, description["n_classes"], description["image_size"])
    load_weights(network, weights, device)
    return network


def make_sampler(network: MaskedDenoiser, precision: Precision) -> Sampler:
    """A function from masks to images; the mask ids change nothing."""
    device = next(network.parameters()).device

    @torch.inference_mode()
    def sampler(masks_BHW: Tensor, _names: Sequence[str]) -> Tensor:
        with autocast(device, precision):
            return to_images(predict_image(network, masks_BHW.to(device)))

    return sampler
