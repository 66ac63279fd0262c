"""Whether the classes that a model's training removes from masks are classes of the datasets."""

from collections.abc import Mapping, Sequence
from typing import Any

from segguided.config.models.base import ModelSettings
from segguided.config.models.controlnet import ControlNetModel
from segguided.config.models.mask_ablation import EVEN


def check_ablated_classes(name: str, model: ModelSettings, dataset: str, classes: Sequence[str]) -> None:
    """Raise ValueError unless the model `name` can be trained with ablated masks of the dataset `dataset`.

    `classes`: the names of the dataset's classes.
    """
    settings: Any = model.control if isinstance(model, ControlNetModel) else model
    probability = getattr(settings, "ablation_probability", EVEN)
    if not isinstance(probability, Mapping):
        return
    stage = "" if settings is model else "control."
    key = f"models.{name}.{stage}ablation_probability"
    unknown = [known for known in probability if known not in classes]
    if unknown:
        raise ValueError(
            f"{key} names {', '.join(unknown)}, but the classes of datasets.{dataset} are "
            f"{', '.join(classes)}; name one of these, or give one number for all classes"
        )
    if all(probability.get(known, EVEN) == 0 for known in classes):
        raise ValueError(
            f"{key} is 0 for every class of datasets.{dataset}, but mask_ablation is "
            f"{settings.mask_ablation}; give a class a number above 0, or set mask_ablation: none"
        )
