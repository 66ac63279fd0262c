"""The whole configuration file, and the checks that need more than one of its sections."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from segguided.config.ablation import Ablation, Sweep
from segguided.config.base import NAME, Settings
from segguided.config.checks.ablated_classes import check_ablated_classes
from segguided.config.checks.ablation import check_ablation
from segguided.config.checks.able_models import check_able, from_noised_images, from_partial_masks
from segguided.config.checks.applications import check_applications
from segguided.config.checks.channels import channel_misfits
from segguided.config.checks.labels import repeated_names
from segguided.config.checks.messages import sentences
from segguided.config.checks.mixing import MixingModel, check_mixing, check_own_weights
from segguided.config.checks.paths import LONGEST_NAME, UsablePath
from segguided.config.checks.sampling import (
    check_guidance,
    check_sampler,
    check_shared_weights,
    check_step_ablation,
)
from segguided.config.checks.sizes import misfits, segmenter_misfits
from segguided.config.checks.texts import check_texts
from segguided.config.datasets import Dataset
from segguided.config.evaluation import Diversity, Evaluation
from segguided.config.experiments import Applications, PartialMasks, Similarity, Translation
from segguided.config.figures import ShownMasks
from segguided.config.models.base import ModelSettings
from segguided.config.models.controlnet import ControlNetModel
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.imported import ImportedModel
from segguided.config.models.regression import RegressionModel
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.shared_weights import SharedWeightsModel
from segguided.config.models.spade import SpadeModel
from segguided.config.reserved import REAL
from segguided.config.sampling import Sampling

Name = Annotated[str, Field(pattern=NAME, max_length=LONGEST_NAME)]
Seed = Annotated[int, Field(ge=0)]
Entries = tuple[str, ...] | tuple[int, ...]
Model = Annotated[
    ControlNetModel | DiffusionModel | ImportedModel | RegressionModel | SharedWeightsModel | SpadeModel,
    Field(discriminator="kind"),
]


class Grid(Settings):
    """What is run: every dataset × model × seed."""

    datasets: tuple[str, ...] = Field(min_length=1)
    models: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[Seed, ...] = Field(min_length=1)

    @field_validator("datasets", "models", "seeds")
    @classmethod
    def _distinct(cls, entries: Entries) -> Entries:
        repeated = repeated_names([str(entry) for entry in entries])
        if repeated:
            raise ValueError(f"{repeated} appears twice; list each once")
        return entries


class Config(Settings):
    """config.yaml."""

    grid: Grid
    datasets: Mapping[Name, Dataset]
    models: Mapping[Name, Model]
    segmenter: Segmenter
    sampling: Sampling
    evaluation: Evaluation = Evaluation()
    diversity: Diversity = Diversity()
    figures: ShownMasks = ShownMasks()
    partial_masks: PartialMasks | None = None  # None: no figures 3 and 6
    similarity: Similarity | None = None  # None: no figure 4
    applications: Applications | None = None
    ablation: Ablation | None = None  # None: no `snakemake ablation`
    sweeps: Mapping[Name, Sweep] = {}  # the figures of `snakemake sweeps`
    checkpoint_seconds: int = Field(600, ge=0)  # of training; the most that a killed job loses
    # Of models that generate images: steps between two preview images, beside the weights; 0: none.
    preview_every: int = Field(0, ge=0)
    tensorboard: bool = False  # whether trainings write TensorBoard event files beside the weights
    # Networks by torch.compile; auto: on a GPU, where it pays; channels_last: there, in that order of memory.
    compile: Literal["auto", "channels_last"] | bool = "auto"
    deterministic: bool = False  # on GPUs: the same bits each time, or an error; a CPU gives them anyway
    # Snakemake's own: where <results>, <logs> and <benchmarks> are.
    pathvars: Mapping[Literal["results", "logs", "benchmarks"], UsablePath] = {}

    @model_validator(mode="after")
    def _grid_names_what_is_defined(self) -> "Config":
        _check_names("datasets", self.grid.datasets, self.datasets)
        _check_names("models", self.grid.models, self.models)
        check_shared_weights(self.models, self.grid.models)
        return self

    @model_validator(mode="after")
    def _masks_can_be_ablated(self) -> "Config":
        for dataset in self.grid.datasets:
            classes = self.datasets[dataset].class_names
            for name in self.grid.models:
                check_ablated_classes(name, self.models[name], dataset, classes)
        return self

    @model_validator(mode="after")
    def _ablation_and_sweeps_name_what_is_defined(self) -> "Config":
        check_ablation(self.ablation, self.sweeps, self.models)
        return self

    @model_validator(mode="after")
    def _titles_are_one_line(self) -> "Config":
        for name, model in self.models.items():
            if model.title and not model.title.isprintable():
                raise ValueError(
                    f"models.{name}.title is {model.title!a}, but a table's cell is one line of text; "
                    "write it so, with >- instead of > in YAML"
                )
        return self

    @model_validator(mode="after")
    def _no_model_is_called_real(self) -> "Config":
        if REAL in self.models:
            raise ValueError(f"models.{REAL}: this name stands for the real images; choose another")
        return self

    @model_validator(mode="after")
    def _networks_fit_image_sizes(self) -> "Config":
        for dataset in self.grid.datasets:
            size = self.datasets[dataset].image_size
            for name in self.grid.models:
                _refuse(f"datasets.{dataset}", misfits(name, self.trained(name), size))
                channels = self.datasets[dataset].channel_names
                _refuse(f"datasets.{dataset}", channel_misfits(name, self.trained(name), channels))
            _refuse(f"datasets.{dataset}", segmenter_misfits("segmenter", self.segmenter, size))
        return self

    @model_validator(mode="after")
    def _models_can_sample_as_they_should(self) -> "Config":
        for name in self.grid.models:
            sampling = self.sampling_of(name)
            where = f"models.{name}.sampling" if sampling != self.sampling else "sampling"
            timesteps = self.trained(name).timesteps
            if timesteps is not None and sampling.steps > timesteps:
                raise ValueError(
                    f"{where}.steps is {sampling.steps}, but the noise schedule of "
                    f"models.{self.weights_of(name)} has only {timesteps} timesteps; lower the one or raise "
                    "the other"
                )
            check_sampler(where, sampling, self.weights_of(name), self.trained(name))
            check_step_ablation(where, sampling, self.weights_of(name), self.trained(name))
            check_guidance(where, sampling, self.weights_of(name), self.trained(name))
        return self

    @model_validator(mode="after")
    def _partial_masks_need_models_that_see_a_mask(self) -> "Config":
        """Sections beyond the tables may name models outside the grid; those are then left out."""
        guided = [name for name in self.models if self.trained(name).sees_a_mask]
        partial = from_partial_masks(self.partial_masks, self.applications)
        check_able(partial, guided, "models that see a mask", "generate from partial masks")
        denoising = [name for name in self.models if self.trained(name).denoises_under_a_mask]
        kinds = "image-space diffusion models with a mask"
        check_able(self._mixing_models, denoising, kinds, "generate from noised images")
        return self

    @property
    def _mixing_models(self) -> Mapping[str, tuple[str, ...]]:
        return from_noised_images(self.similarity, self.applications)

    @model_validator(mode="after")
    def _applications_name_what_is_defined(self) -> "Config":
        if self.applications:
            check_applications(self.applications, self.datasets)
        return self

    @model_validator(mode="after")
    def _sampling_reaches_the_mixing_timestep(self) -> "Config":
        if self.similarity:
            model = self._mixing_model("similarity.model")
            check_own_weights(model)
            check_mixing("similarity", self.similarity, model)
        if self.applications and self.applications.counterfactuals:
            where = "applications.counterfactuals"
            check_mixing(where, self.applications.counterfactuals, self._mixing_model("applications.model"))
        if self.applications and self.applications.translations:
            where = "applications.translation_start"
            check_mixing(where, self.applications.translation_start, self._mixing_model("applications.model"))
        return self

    def _mixing_model(self, key: str) -> MixingModel:
        """The model that `key` names."""
        (name,) = self._mixing_models[key]
        few_calls = self.sampling_of(name).sampler == "renoise"
        return MixingModel(key, name, self.weights_of(name), self.trained(name).timesteps or 0, few_calls)

    def weights_of(self, name: str) -> str:
        """The name of the model whose weights the model `name` uses: its own, unless it shares another's."""
        model = self.models[name]
        return model.weights_of if isinstance(model, SharedWeightsModel) else name

    def trained(self, name: str) -> ModelSettings:
        """The settings of the network behind the model `name`."""
        return self.models[self.weights_of(name)]

    def sampling_of(self, name: str) -> Sampling:
        """How the model `name` samples: by its own keys, else those of its weights, else the section's."""
        sampling = self.sampling
        for model in (self.trained(name), self.models[name]):
            if isinstance(model, DiffusionModel | SharedWeightsModel):
                sampling = sampling.changed(model.sampling)
        return sampling

    @property
    def guided_models(self) -> list[str]:
        """Models of the grid whose images follow a mask: figures 2 and 5."""
        return [name for name in self.grid.models if self.trained(name).sees_a_mask]

    @property
    def free_model(self) -> str | None:
        """The first model of the grid that makes masks from nothing: figure 1. None: there is none."""
        for name in self.grid.models:
            model = self.models[name]
            if isinstance(model, DiffusionModel) and model.completer:
                return name
        return None

    @property
    def partial_models(self) -> list[str]:
        """Models of figures 3 and 6: those of their section that the grid trains."""
        if self.partial_masks is None:
            return []
        return [name for name in self.partial_masks.models if name in self.grid.models]

    @property
    def partial_datasets(self) -> list[str]:
        """Datasets of figures 3, 4 and 6: those of the grid that say which classes may be kept alone."""
        return [name for name in self.grid.datasets if self.datasets[name].partial_masks]

    @property
    def similar_datasets(self) -> list[str]:
        """Datasets of figure 4; none where the grid does not train its model."""
        if self.similarity is None or self.similarity.model not in self.grid.models:
            return []
        return self.partial_datasets

    @property
    def rare_seeds(self) -> list[int]:
        """The seeds of rare-case augmentation; none without it."""
        rare = self.applications.rare if self.applications else None
        return list(rare.seeds) if rare else []

    @property
    def translations(self) -> list[Translation]:
        """Translations to datasets of the grid."""
        if self.applications is None:
            return []
        return [t for t in self.applications.translations if t.dataset in self.grid.datasets]


def _check_names(section: str, names: Sequence[str], defined: Collection[str]) -> None:
    """Raise ValueError unless the grid's `names` are defined and differ on every disk."""
    for name in names:
        if name not in defined:
            raise ValueError(f"grid.{section} names '{name}'; defined: {', '.join(sorted(defined))}")
    small = [name.lower() for name in names]
    repeated = sorted({name for name in small if small.count(name) > 1})
    if repeated:
        raise ValueError(
            f"grid.{section} names {repeated[0]} in capitals and without, whose files would be the same on "
            "disks that ignore case; rename one"
        )


def _refuse(where: str, misfits_found: Iterable[str]) -> None:
    """Raise ValueError for the first sentence, if there is one."""
    for sentence in misfits_found:
        raise ValueError(f"{where}.{sentence}")


def load(values: Mapping[str, Any]) -> Config:
    """The checked configuration.

    Raises ValueError with one line for each mistake: the path, what came and what to do.
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
