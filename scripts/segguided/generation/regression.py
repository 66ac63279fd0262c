"""Images of a trained regression, the control: one call for each mask, without noise."""

from functools import partial
from pathlib import Path

import torch

from segguided.config.models.regression import RegressionModel
from segguided.config.models.training import Precision
from segguided.generation.one_call import one_call_sampler
from segguided.generation.sets import Sampler
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.regression import build_regression, predict_image
from segguided.training.storage import load_weights, network_description


def load_regression(weights: Path, device: torch.device) -> MaskedDenoiser:
    """A trained network on `device`."""
    with network_description(weights) as description:
        model = RegressionModel.model_validate(description["model"])
        size = description["image_size"]
        network = build_regression(model, description["n_classes"], size, description.get("channels", 1))
    load_weights(network, weights, device)
    return network


def make_sampler(network: MaskedDenoiser, precision: Precision) -> Sampler:
    """A function from masks to images; the mask ids change nothing."""
    return one_call_sampler(network, partial(predict_image, network), precision)
