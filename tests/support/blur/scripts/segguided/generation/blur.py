"""Images of the toy network `blur`.

Shape letters: B batch, H height, W width.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import Tensor

from segguided.config.models.blur import BlurModel
from segguided.generation.sets import Sampler
from segguided.models.blur import BlurNetwork
from segguided.models.signals import to_images
from segguided.training.storage import load_weights, network_description


def load_blur(weights: Path, device: torch.device) -> BlurNetwork:
    """A trained network on `device`."""
    with network_description(weights) as description:
        model = BlurModel.model_validate(description["model"])
        network = BlurNetwork(model, description["n_classes"])
    load_weights(network, weights, device)
    return network


def make_sampler(network: BlurNetwork) -> Sampler:
    """A function from masks to images; the mask ids change nothing."""
    device = next(network.parameters()).device

    @torch.inference_mode()
    def sampler(masks_BHW: Tensor, names: Sequence[str], free: Collection[int] = ()) -> Tensor:
        return to_images(network(masks_BHW.to(device)))

    return sampler
