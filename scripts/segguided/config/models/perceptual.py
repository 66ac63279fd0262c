"""Settings of the perceptual loss: which network's feature maps compare two images."""

from typing import Annotated, Literal

from pydantic import Field

from segguided.config.base import Settings
from segguided.config.checks.paths import UsablePath
from segguided.config.models.base import Channels
from segguided.config.models.training import Training


class NoPerceptual(Settings):
    """No perceptual loss."""

    kind: Literal["none"]


class Vgg19Perceptual(Settings):
    """Feature maps of VGG-19 trained on ImageNet, as in the paper, from a file in torchvision's format."""

    kind: Literal["vgg19"]
    weights: UsablePath  # .pth or .safetensors with torchvision's names (features.0.weight …)


class PlainEncoder(Settings):
    """3×3 convolutions with ReLU, halved by maximum pooling between levels, as in VGG; finest level first.

    No skip connection, no residual unit, no norm and no decoder: it has nothing of the segmenter that
    measures. At each level it learns which share of each class lies below each position.
    """

    channels: tuple[Channels, ...] = Field(min_length=2)
    convolutions: int = Field(default=2, ge=1)  # at each level
    training: Training

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return 1 << (len(self.channels) - 1)


class EncoderPerceptual(Settings):
    """Feature maps of a plain encoder that was trained on the training split; no download is needed."""

    kind: Literal["encoder"]
    encoder: PlainEncoder


Perceptual = Annotated[NoPerceptual | Vgg19Perceptual | EncoderPerceptual, Field(discriminator="kind")]
PerceptualNetwork = Annotated[Vgg19Perceptual | EncoderPerceptual, Field(discriminator="kind")]
