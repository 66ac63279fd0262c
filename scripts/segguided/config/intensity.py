"""How raw values become grey values from 0 to 255."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from segguided.config.base import Settings


class Window(Settings):
    """CT: Hounsfield units from `low` to `high` map linearly to 0…255."""

    kind: Literal["window"]
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "Window":
        if self.low >= self.high:
            raise ValueError(f"window needs low < high, got low={self.low:g} and high={self.high:g}")
        return self


class Percentile(Settings):
    """MRI: the volume's `low` to `high` percentiles map linearly to 0…255."""

    kind: Literal["percentile"]
    low: float = Field(ge=0, le=100)
    high: float = Field(ge=0, le=100)

    @model_validator(mode="after")
    def _ordered(self) -> "Percentile":
        if self.low >= self.high:
            raise ValueError(f"percentile clip needs low < high, got low={self.low:g} and high={self.high:g}")
        return self


class AsIs(Settings):
    """Grey values that already run from 0 to 255, such as those of PNG files."""

    kind: Literal["as-is"]


Intensity = Annotated[Window | Percentile | AsIs, Field(discriminator="kind")]
