"""Settings of the auxiliary segmenters."""

from pydantic import Field

from segguided.config.base import Settings
from segguided.config.models.base import Channels
from segguided.config.models.training import Training


class Augmentation(Settings):
    """Random changes of a training image, new ones each time it is used; its mask moves with it."""

    rotation_deg: float = Field(default=10, ge=0, le=180)  # up to this angle, either way
    scale: float = Field(default=0.1, ge=0, lt=1)  # the size times 1 ± this
    shift: float = Field(default=0.05, ge=0, lt=1)  # by up to this share of the image
    contrast: float = Field(default=0.2, ge=0, lt=1)  # distance of grey values from mid-grey, times 1 ± this
    brightness: float = Field(default=0.1, ge=0, lt=1)  # plus or minus this share of the grey scale
    noise: float = Field(default=0.02, ge=0, lt=1)  # standard deviation up to this share of the grey scale


class Segmenter(Settings):
    """The auxiliary MONAI UNet that measures; trained with Dice + cross-entropy."""

    channels: tuple[Channels, ...] = Field(min_length=2)
    residual_units: int = Field(default=2, ge=0)
    augmentation: Augmentation | None = None
    training: Training
    # So many validation slices choose the epoch, evenly spread over all; None: all, as in the paper.
    validation_slices: int | None = Field(default=None, ge=1)

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return 1 << (len(self.channels) - 1)
