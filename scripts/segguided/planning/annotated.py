"""Whether a dataset's patients are annotated for all that a configuration asks of them."""

from collections.abc import Mapping, Sequence

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.perceptual import EncoderPerceptual
from segguided.config.models.spade import SpadeModel
from segguided.config.workflow import Config
from segguided.data.annotation import (
    NotAnnotated,
    check_annotated,
    check_perceptual,
    check_translated,
    check_whole,
)


def check_annotations(
    config: Config, dataset: str, splits: Mapping[str, Sequence[str]], missing: NotAnnotated
) -> None:
    """Raise ValueError where a model or a measurement could use none of the patients of `dataset`.

    `splits`: the patients of each split.
    """
    if dataset in config.grid.datasets:
        classes = config.datasets[dataset].class_names
        check_annotated(dataset, splits, missing, classes, config.evaluation.halves_seed)
        models = {name: config.trained(name) for name in config.grid.models}
        whole_alone = [name for name, model in models.items() if model.needs_full_annotation]
        check_whole(dataset, splits["train"], missing, whole_alone)
        encoded = [name for name, model in models.items() if _has_encoder(model)]
        check_perceptual(dataset, splits["train"], missing, encoded)
    if dataset in [translation.masks for translation in config.translations]:
        check_translated(dataset, splits["test"], missing)


def _has_encoder(model: object) -> bool:
    return isinstance(model, SpadeModel | DiffusionModel) and isinstance(model.perceptual, EncoderPerceptual)
