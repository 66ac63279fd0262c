"""Samplers of models that make an image of a mask in one call, without noise.

Shape letters: B batch, H height, W width.
"""

from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor, nn

from segguided.config.models.training import Precision
from segguided.devices import autocast
from segguided.generation.sets import Sampler
from segguided.models.signals import to_images


def one_call_sampler(
    network: nn.Module, image_of: Callable[[Tensor], Tensor], precision: Precision
) -> Sampler:
    """A function from masks to images, on the network's device; the mask ids change nothing.

    `image_of` calls `network`: masks_BHW to images (B, 1, H, W) in [-1, 1].
    """
    device = next(network.parameters()).device

    @torch.inference_mode()
    def sampler(masks_BHW: Tensor, names: Sequence[str], free: Collection[int] = ()) -> Tensor:
        with autocast(device, precision):
            return to_images(image_of(masks_BHW.to(device)))

    return sampler
