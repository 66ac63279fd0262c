"""Settings of the random movement of a generator's training images, with their masks."""

from pydantic import Field, model_validator

from segguided.config.base import Settings


class Movement(Settings):
    """Random changes of where things are in a training image and its mask, new ones each time they are used.

    Only such as keep every pixel as it is: a generator would learn changed grey values, and the blur of an
    image that is turned or scaled.
    """

    shift: float = Field(default=0, ge=0, lt=1)  # by up to this share of the image, by whole pixels
    mirror: bool = False  # left to right, with probability ½

    @model_validator(mode="after")
    def _moves_something(self) -> "Movement":
        if not (self.shift or self.mirror):
            raise ValueError("augmentation changes nothing; give shift or mirror, or set it to null")
        return self


class MovedTraining(Settings):
    """The key `augmentation`. Where it is null, it is in no command and in no file of a training."""

    # What is moved into the image from outside is 0: black, and background in the mask.
    augmentation: Movement | None = Field(default=None, exclude_if=lambda movement: movement is None)
