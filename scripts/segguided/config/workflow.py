"""The whole configuration file, and the checks that need more than one of its sections."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from segguided.config.base import NAME, Settings
from segguided.config.checks.messages import sentences
from segguided.config.checks.paths import LONGEST_NAME, UsablePath
from segguided.config.checks.sizes import misfits, segmenter_misfits
from segguided.config.checks.texts import check_texts
from segguided.config.datasets import Dataset
from segguided.config.evaluation import Evaluation
from segguided.config.experiments import Applications, PartialMasks, Similarity, Translation
from segguided.config.models.controlnet import ControlNetModel
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.imported import ImportedModel
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.spade import SpadeModel
from segguided.config.reserved import REAL
from segguided.config.sampling import Sampling

Name = Annotated[str, Field(pattern=NAME, max_length=LONGEST_NAME)]
Seed = Annotated[int, Field(ge=0)]
Entries = tuple[str, ...] | tuple[int, ...]
Model = Annotated[ControlNetModel | DiffusionModel | ImportedModel | SpadeModel, Field(discriminator="kind")]


class Grid(Settings):
    """What is run: every dataset × model × seed."""

    datasets: tuple[str, ...] = Field(min_length=1)
    models: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[Seed, ...] = Field(min_length=1)

    @field_validator("datasets", "models", "seeds")
    @classmethod
    def _distinct(cls, entries: Entries) -> Entries:
        twice = sorted({str(e) for e in entries if entries.count(e) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands twice; list each once")
        return entries


class Config(Settings):
    """config.yaml."""

    grid: Grid
    datasets: Mapping[Name, Dataset]
    models: Mapping[Name, Model]
    segmenter: Segmenter
    sampling: Sampling
    evaluation: Evaluation = Evaluation()
    partial_masks: PartialMasks | None = None  # None: no figures 3 and 6
    similarity: Similarity | None = None  # None: no figure 4
    applications: Applications | None = None
    checkpoint_seconds: int = Field(600, ge=0)  # of training; the most that a killed job loses
    # Snakemake's own: where <results>, <logs> and <benchmarks> lie.
    pathvars: Mapping[Literal["results", "logs", "benchmarks"], UsablePath] = {}

    @model_validator(mode="after")
    def _names(self) -> "Config":
        for section, defined in (("datasets", self.datasets), ("models", self.models)):
            for name in getattr(self.grid, section):
                if name not in defined:
                    raise ValueError(f"grid.{section} names '{name}'; defined: {', '.join(sorted(defined))}")
            small = [name.lower() for name in getattr(self.grid, section)]
            twice = sorted({name for name in small if small.count(name) > 1})
            if twice:
                raise ValueError(
                    f"grid.{section} names {twice[0]} in capitals and without, whose files would be one on "
                    "disks that ignore case; rename one"
                )
        for name, model in self.models.items():
            title = ascii(model.title)
            if model.title and not model.title.isprintable():
                raise ValueError(
                    f"models.{name}.title is {title}, but a table's cell is one line of text; write it so, "
                    "with >- instead of > in YAML"
                )
        if REAL in self.models:
            raise ValueError(f"models.{REAL}: this name stands for the real images; choose another")
        return self

    @model_validator(mode="after")
    def _sizes(self) -> "Config":
        for dataset in self.grid.datasets:
            size = self.datasets[dataset].image_size
            found = [told for name in self.grid.models for told in misfits(name, self.models[name], size)]
            for told in (*found, *segmenter_misfits("segmenter", self.segmenter, size)):
                raise ValueError(f"datasets.{dataset}.{told}")
        return self

    @model_validator(mode="after")
    def _sampling_steps(self) -> "Config":
        for name in self.grid.models:
            timesteps = self.models[name].timesteps
            if timesteps is not None and self.sampling.steps > timesteps:
                raise ValueError(
                    f"sampling.steps is {self.sampling.steps}, but the noise schedule of models.{name} has "
                    f"only {timesteps} timesteps; lower the one or raise the other"
                )
        return self

    @model_validator(mode="after")
    def _masked(self) -> "Config":
        """Sections beyond the tables may name models outside the grid; those are then left out."""
        named = {"partial_masks.models": self.partial_masks.models} if self.partial_masks else {}
        if self.similarity:
            named["similarity.model"] = (self.similarity.model,)
        if self.applications:
            named["applications.model"] = (self.applications.model,)
            named["applications.partial_model"] = (self.applications.partial_model,)
        able = [name for name, model in self.models.items() if model.denoises_under_a_mask]
        for where, names in named.items():
            for name in names:
                if name not in able:
                    raise ValueError(
                        f"{where} names '{name}', but only image-space diffusion models with a mask "
                        f"({', '.join(able)}) can be drawn from partial masks; name one of them"
                    )
        return self

    @model_validator(mode="after")
    def _translations(self) -> "Config":
        for one in self.applications.translations if self.applications else ():
            known = {"masks": (one.masks, self.datasets), "dataset": (one.dataset, self.datasets)}
            for key, (name, names) in known.items():
                if name not in names:
                    raise ValueError(
                        f"applications.translations: {key} is '{name}'; choose of {', '.join(names)}"
                    )
            if self.datasets[one.masks].image_size != self.datasets[one.dataset].image_size:
                raise ValueError(
                    f"applications.translations: {one.masks} and {one.dataset} differ in image_size; "
                    "make it equal"
                )
        return self

    @model_validator(mode="after")
    def _timestep(self) -> "Config":
        if self.similarity:
            timesteps = self.models[self.similarity.model].timesteps or 0
            stride = timesteps // self.similarity.steps
            if self.similarity.timestep >= timesteps or not stride or self.similarity.timestep % stride:
                raise ValueError(
                    f"similarity.timestep is {self.similarity.timestep}, which {self.similarity.steps} DDIM "
                    f"steps of {timesteps} never reach; choose steps so that it is a multiple of "
                    f"{timesteps} // steps"
                )
        return self

    @property
    def guided_models(self) -> list[str]:
        """Models of the grid whose images follow a mask: figures 2 and 5."""
        return [name for name in self.grid.models if self.models[name].sees_a_mask]

    @property
    def partial_models(self) -> list[str]:
        """Models of figures 3 and 6: those of their section that the grid trains."""
        return [m for m in self.partial_masks.models if m in self.grid.models] if self.partial_masks else []

    @property
    def partial_datasets(self) -> list[str]:
        """Datasets of figures 3, 4 and 6: those of the grid that say which classes may be kept alone."""
        return [name for name in self.grid.datasets if self.datasets[name].partial_masks]

    @property
    def similar_datasets(self) -> list[str]:
        """Datasets of figure 4; none where the grid does not train its model."""
        return self.partial_datasets if self.similarity and self.similarity.model in self.grid.models else []

    @property
    def translations(self) -> list[Translation]:
        """Translations to datasets of the grid."""
        named = self.applications.translations if self.applications else ()
        return [one for one in named if one.dataset in self.grid.datasets]


def load(values: Mapping[str, Any]) -> Config:
    """The checked configuration.

    Raises ValueError with one line a mistake: the path, what came and what to do.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        lines = [f"config: {sentence}" for sentence in sentences(error, values, schema())]
        raise ValueError("\n".join(lines)) from None
    check_texts(values)
    return config


def schema() -> dict[str, Any]:
    """The JSON schema of config.yaml, by which editors check it: workflow/config.schema.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
