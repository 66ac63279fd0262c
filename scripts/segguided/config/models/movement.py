"""Settings of the random movement of a generator's training images, with their masks."""

from pydantic import Field, model_validator

from segguided.config.base import Settings


class Movement(Settings):
    """Random changes of where things are in a training image and its mask, new ones each time they are used.

    Only such as another patient could show. Grey values stay: a generator would learn the changed ones.
    """

    rotation_deg: float = Field(default=0, ge=0, le=180)  # up to this angle, either way
    scale: float = Field(default=0, ge=0, lt=1)  # the size times 1 ± this
    shift: float = Field(default=0, ge=0, lt=1)  # by up to this share of the image
    mirror: bool = False  # left to right, with probability ½

    @model_validator(mode="after")
    def _moves_something(self) -> "Movement":
        if not (self.rotation_deg or self.scale or self.shift or self.mirror):
            raise ValueError(
                "augmentation changes nothing; give rotation_deg, scale, shift or mirror, or set it to null"
            )
        return self


class MovedTraining(Settings):
    """The key `augmentation`. Where it is null, it is in no command and in no file of a training."""

    # What is moved into the image from outside is 0: black, and background in the mask.
    augmentation: Movement | None = Field(default=None, exclude_if=lambda movement: movement is None)
