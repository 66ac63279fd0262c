"""Settings of the control: a diffusion model's network that is trained to predict the image without noise."""

from typing import ClassVar, Literal

from segguided.config.models.base import ModelSettings
from segguided.config.models.movement import MovedTraining
from segguided.config.models.training import MicroBatchSize, Training
from segguided.config.models.unet import Unet


class RegressionModel(MovedTraining, ModelSettings):
    """One call of a UNet gives the image from the mask alone. It is a control, and no generator."""

    kind: Literal["regression"]
    conditioning: Literal["index255", "onehot"]
    unet: Unet
    micro_batch_size: MicroBatchSize = None
    training: Training
    decide_weights: ClassVar = frozenset(
        {"kind", "conditioning", "unet", "micro_batch_size", "training", "augmentation"}
    )

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return self.unet.stride
