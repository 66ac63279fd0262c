"""Settings of the perceptual loss: which network's feature maps compare two images."""

from typing import Annotated, Literal

from pydantic import Field

from segguided.config.base import Settings
from segguided.config.checks.paths import UsablePath
from segguided.config.models.segmenter import Segmenter


class NoPerceptual(Settings):
    """No perceptual loss."""

    kind: Literal["none"]


class Vgg19Perceptual(Settings):
    """Feature maps of VGG-19 trained on ImageNet, as in the paper, from a file in torchvision's format."""

    kind: Literal["vgg19"]
    weights: UsablePath  # .pth or .safetensors with torchvision's names (features.0.weight …)


class SegmenterPerceptual(Settings):
    """Feature maps of a segmenter like the one that measures, but trained on the training split."""

    kind: Literal["segmenter"]
    segmenter: Segmenter


Perceptual = Annotated[NoPerceptual | Vgg19Perceptual | SegmenterPerceptual, Field(discriminator="kind")]
