"""The whole configuration file, and the checks that need more than one of its sections."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError, model_validator

from segguided.config.base import Settings
from segguided.config.data import Dataset
from segguided.config.evaluation import Evaluation
from segguided.config.models import DiffusionModel, Sampling, Segmenter

NAME = r"^[A-Za-z0-9_-]+$"
REAL = "real"  # the train_set of the segmenter that measures; no model may take the name


class Grid(Settings):
    """What is run: every dataset × model × seed."""

    datasets: tuple[str, ...] = Field(min_length=1)
    models: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(min_length=1)


class Config(Settings):
    """config.yaml."""

    grid: Grid
    datasets: dict[str, Dataset]
    models: dict[str, DiffusionModel]
    segmenter: Segmenter
    sampling: Sampling
    evaluation: Evaluation = Evaluation()
    pathvars: dict[str, str] = {}  # Snakemake's own: where <results>, <logs> and <benchmarks> lie

    @model_validator(mode="after")
    def _names(self) -> "Config":
        for section, defined in (("datasets", self.datasets), ("models", self.models)):
            for name in getattr(self.grid, section):
                if name not in defined:
                    raise ValueError(f"grid.{section} names '{name}'; defined: {', '.join(sorted(defined))}")
        if REAL in self.models:
            raise ValueError(f"models.{REAL}: this name stands for the real images; choose another")
        return self

    @model_validator(mode="after")
    def _sizes(self) -> "Config":
        for dataset in self.grid.datasets:
            size = self.datasets[dataset].image_size
            strides = {f"models.{m}.unet": self.models[m].unet.stride for m in self.grid.models}
            for where, stride in {**strides, "segmenter": self.segmenter.stride}.items():
                if size % stride:
                    raise ValueError(
                        f"datasets.{dataset}.image_size is {size}, but {where} halves it down to needs of "
                        f"{stride}: choose a multiple of {stride}, or fewer levels"
                    )
        return self


def load(values: Mapping[str, Any]) -> Config:
    """The checked configuration.

    Raises ValueError with one line a mistake: the path, what came and what to do.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        lines = [_sentence(e["loc"], e["type"], e["msg"], e.get("input")) for e in error.errors()]
        raise ValueError("config: " + "; ".join(lines)) from None


def _sentence(location: tuple[int | str, ...], type_: str, message: str, given: Any) -> str:
    path = ".".join(str(part) for part in location)
    if type_ == "extra_forbidden":
        return f"unknown key {path}; check its spelling, or remove it"
    text = message.removeprefix("Value error, ")
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{path}: {text}{shown}" if path else f"{text}{shown}"
