"""The class-wise sliced Wasserstein distance of two images with one mask: a loss on texture.

Random filters are directions in the space of small patches (Rabin et al. 2011). Along each, the distance is
the mean difference of the sorted responses, here sorted inside each class of each image: real and predicted
image share the mask, so each class has as many pixels in both.

Shape letters: B batch, C image channels, F filters, H height, W width, P pixels.
"""

import torch
from torch import Tensor

from segguided.models.losses.energy_score import random_filters, respond

FILTERS = 8
SIZE = 5  # pixels a side
DILATIONS = (1, 2)
APART = 100.0  # between the responses of two classes: more than any response of images in [-1, 1]


def choose_directions(generator: torch.Generator, channels: int = 1) -> list[Tensor]:
    """New random filters (F, C, size, size) for each dilation."""
    return [random_filters(FILTERS, SIZE, generator, channels) for _ in DILATIONS]


def sliced_wasserstein(
    predicted_BCHW: Tensor, real_BCHW: Tensor, masks_BHW: Tensor, directions: list[Tensor]
) -> Tensor:
    """The mean over filters, classes (by their pixels) and images; a scalar."""
    distances = []
    # One sort for all classes: the responses of each class are moved to a range of their own.
    range_B1P = APART * masks_BHW.flatten(1)[:, None].float()
    for dilation, filters in zip(DILATIONS, directions, strict=True):
        predicted_BFP = respond(predicted_BCHW, filters, dilation).flatten(2) + range_B1P
        real_BFP = respond(real_BCHW, filters, dilation).flatten(2) + range_B1P
        distances.append((predicted_BFP.sort(-1).values - real_BFP.sort(-1).values).abs().mean())
    return torch.stack(distances).mean()
