"""Settings of the toy kind `blur`: one convolution that predicts the image from the mask."""

from typing import ClassVar, Literal

from pydantic import Field

from segguided.config.models.base import ModelSettings
from segguided.config.models.training import Training


class BlurModel(ModelSettings):
    """A convolution of the mask's channels."""

    kind: Literal["blur"]
    width: int = Field(default=5, ge=1)  # of the kernel, in pixels
    training: Training
    decide_weights: ClassVar = frozenset({"kind", "width", "training"})

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return 1
