"""Features that no training has seen: a convolutional network with random weights, and classical textures.

No model is trained through them, and nothing is downloaded. They say whether two sets differ, not whether
people would see the difference.

Shape letters: B batch, S images, D features, H height, W width.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from segguided.evaluation.likeness.texture import texture_features
from segguided.models.signals import to_signal

SEED = 0  # of the weights; one for all datasets and models
CHANNELS = (16, 32, 32)  # of levels that each halve the image
BATCH = 64  # no result depends on it


class Standardiser:
    """Features, each with mean 0 and deviation 1 on the real images of the training patients."""

    def __init__(self, training_SHW: np.ndarray) -> None:
        features_SD = raw_features(training_SHW)
        self.mean_D = features_SD.mean(axis=0)
        deviation_D = features_SD.std(axis=0)
        self.deviation_D = np.where(deviation_D > 1e-6, deviation_D, 1.0)  # a constant feature stays constant

    def features(self, images_SHW: np.ndarray) -> np.ndarray:
        """Features (S, D) of uint8 images."""
        standardised_SD: np.ndarray = (raw_features(images_SHW) - self.mean_D) / self.deviation_D
        return standardised_SD


def raw_features(images_SHW: np.ndarray) -> np.ndarray:
    """Features (S, D) of uint8 images: the network's, then the textures, each on its own scale.

    Each channel is a grey image of its own; their features stand one after another.
    """
    if images_SHW.ndim == 4:
        channels = np.moveaxis(images_SHW, -1, 0)
        return np.concatenate([raw_features(channel_SHW) for channel_SHW in channels], axis=1)
    network = RandomNetwork()
    parts = []
    for start in range(0, len(images_SHW), BATCH):
        images_BHW = np.array(images_SHW[start : start + BATCH])
        with torch.inference_mode():
            random_BD = network(to_signal(torch.from_numpy(images_BHW))).double().numpy()
        parts.append(np.concatenate([random_BD, texture_features(images_BHW)], axis=1))
    return np.concatenate(parts)


class RandomNetwork(nn.Module):
    """Convolutions of 3×3 with stride 2 and random weights; each filter has mean 0, so it ignores a level."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(SEED)
        self.weights = [
            _random_filters(before, after, generator)
            for before, after in zip((1, *CHANNELS[:-1]), CHANNELS, strict=True)
        ]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The last two levels' outputs, averaged over positions, (B, D)."""
        levels = []
        for weight in self.weights:
            x_BCHW = nn.functional.conv2d(x_BCHW, weight, stride=2, padding=1).relu()
            levels.append(x_BCHW.mean((2, 3)))
        return torch.cat(levels[-2:], 1)


def _random_filters(before: int, after: int, generator: torch.Generator) -> Tensor:
    weight = torch.randn((after, before, 3, 3), generator=generator)
    weight -= weight.mean((2, 3), keepdim=True)
    return weight * math.sqrt(2 / (9 * before))
