"""Settings of comparisons within one grid: what each setting of a model adds, and how a value decides."""

from collections.abc import Mapping

from pydantic import Field, field_validator, model_validator

from segguided.config.base import Settings


class Timing(Settings):
    """How long a training takes until its images reach a share of the ceiling, the Dice of real images."""

    share: float = Field(default=0.9, gt=0, le=1)
    limit: int = Field(default=20, ge=1)  # a training stops at so many times the time of `timed_against`
    masks: int = Field(default=32, ge=1)  # test masks whose images are judged, with two classes or more


class Ablation(Settings):
    """`snakemake ablation`: models in an order in which each changes one setting of the one before."""

    models: tuple[str, ...] = Field(min_length=2)  # image-space diffusion models
    timing: Timing = Timing()
    timed_against: str  # one of `models`

    @model_validator(mode="after")
    def _times_one_of_its_models(self) -> "Ablation":
        if self.timed_against not in self.models:
            raise ValueError(
                f"timed_against is '{self.timed_against}', but models are {', '.join(self.models)}; name one"
            )
        return self


class SweepPoint(Settings):
    """A model, and the value of the setting in which it differs from the others of its line."""

    value: float
    model: str


class Sweep(Settings):
    """A figure of `snakemake sweeps`: what is measured against the value of one setting."""

    title: str  # of the axis of values
    lines: Mapping[str, tuple[SweepPoint, ...]] = Field(min_length=1)  # by the line's name
    chosen: str  # the model whose value is the default; it is marked
    logarithmic: bool = False  # the axis of values

    @field_validator("lines")
    @classmethod
    def _rising(cls, lines: Mapping[str, tuple[SweepPoint, ...]]) -> Mapping[str, tuple[SweepPoint, ...]]:
        for name, points in lines.items():
            values = [point.value for point in points]
            if not values or values != sorted(set(values)):
                raise ValueError(f"line '{name}' has the values {values}; list rising ones, each once")
        return lines

    @property
    def models(self) -> list[str]:
        """Its models, each once, in the order of the lines."""
        points = [point for line in self.lines.values() for point in line]
        return list(dict.fromkeys(point.model for point in points))

    @model_validator(mode="after")
    def _marks_a_point(self) -> "Sweep":
        if self.chosen not in self.models:
            raise ValueError(f"chosen is '{self.chosen}', but no line has this model; name one that has")
        return self
