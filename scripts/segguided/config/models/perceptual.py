"""Settings of the perceptual loss: in whose feature maps two images are compared."""

from typing import Annotated, Literal

from pydantic import Field

from segguided.config.base import Settings
from segguided.config.checks.paths import UsablePath
from segguided.config.models.segmenter import Segmenter


class NoPerceptual(Settings):
    """No perceptual loss."""

    kind: Literal["none"]


class Vgg19Perceptual(Settings):
    """Feature maps of VGG-19 trained on ImageNet, as in the paper; a file that torchvision's users have."""

    kind: Literal["vgg19"]
    weights: UsablePath  # .pth or .safetensors with torchvision's names (features.0.weight …)


class SegmenterPerceptual(Settings):
    """Feature maps of a segmenter like the one that measures, but trained on the training split."""

    kind: Literal["segmenter"]
    segmenter: Segmenter


Perceptual = Annotated[NoPerceptual | Vgg19Perceptual | SegmenterPerceptual, Field(discriminator="kind")]
