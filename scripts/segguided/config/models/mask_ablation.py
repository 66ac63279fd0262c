"""Settings of mask-ablated training (Algorithm 1 of the paper), which any model that sees masks can have."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from segguided.config.base import Settings

MaskAblation = Literal["none", "sample", "batch"]  # in training; the removed classes are chosen for each
EVEN = 0.5  # the paper's probability: each class is as likely removed as kept


def _checked(probability: object) -> object:
    """One number, or numbers by name; raises ValueError, in one sentence, unless they are probabilities."""
    if isinstance(probability, Mapping):
        return {name: _number(value, f" of class {name}") for name, value in probability.items()}
    return _number(probability)


def _number(value: object, of_class: str = "") -> float:
    """The number from 0 to 1. Numbers of Snakemake's option --config come as text."""
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except ValueError:
        number = math.nan
    if isinstance(value, bool) or not 0 <= number <= 1:
        raise ValueError(
            f"expected a number from 0 to 1, or such a number by class name, got {value!a}{of_class}; "
            "it is the probability that a class is removed"
        )
    return number


# That a class is removed: one number for all, or by class name. In the settings that a training script is
# given, classes are known by their value in a mask, as text: see `by_class_value`.
AblationProbability = Annotated[float | Mapping[str, float], BeforeValidator(_checked)]


class MaskAblationSettings(Protocol):
    """What mask ablation asks of a model's settings."""

    @property
    def mask_ablation(self) -> MaskAblation:
        """For what the removed classes are chosen."""

    @property
    def ablated_share(self) -> float:
        """The share of the training images whose masks are changed."""

    @property
    def ablation_probability(self) -> float | Mapping[str, float]:
        """The probability that a class is removed from a mask that is changed; of an unnamed class ½."""


def check_ablation_settings(settings: MaskAblationSettings) -> None:
    """Raise ValueError where the keys of mask ablation contradict each other."""
    if settings.ablated_share < 1 and settings.mask_ablation != "sample":
        raise ValueError(
            f"ablated_share is {settings.ablated_share:g}, but mask_ablation is {settings.mask_ablation}; "
            "only `sample` can leave some images of a batch as they are"
        )
    if settings.ablation_probability == EVEN:
        return
    if settings.mask_ablation == "none":
        raise ValueError(
            "ablation_probability is given, but mask_ablation is none, so no class is removed; "
            "set mask_ablation: sample, or remove ablation_probability"
        )
    if settings.ablation_probability == 0:
        raise ValueError(
            f"ablation_probability is 0, but mask_ablation is {settings.mask_ablation}; give a number above "
            "0, or set mask_ablation: none"
        )


def _is_none(per: MaskAblation) -> bool:
    return per == "none"


def _is_whole(share: float) -> bool:
    return share == 1


def is_even(probability: float | Mapping[str, float]) -> bool:
    """Whether each class is removed with the paper's probability. Settings that are so do not name it."""
    return probability == EVEN


class AblatedTraining(Settings):
    """The keys of mask ablation. At their defaults they are in no command and in no file of a training."""

    mask_ablation: MaskAblation = Field(default="none", exclude_if=_is_none)
    # Of the training images that mask_ablation changes.
    ablated_share: float = Field(default=1.0, gt=0, le=1, exclude_if=_is_whole)
    ablation_probability: AblationProbability = Field(default=EVEN, exclude_if=is_even)

    @model_validator(mode="after")
    def _ablation_is_consistent(self) -> "AblatedTraining":
        check_ablation_settings(self)
        return self


Ablated = TypeVar("Ablated", bound=Settings)


def by_class_value(settings: Ablated, classes: Sequence[str]) -> Ablated:
    """The settings with the classes of `ablation_probability` by their values in a mask.

    So a class may be renamed, and nothing is trained again. `classes`: all names, in order.
    """
    probability = getattr(settings, "ablation_probability", EVEN)
    if not isinstance(probability, Mapping):
        return settings
    by_value = {str(classes.index(name) + 1): value for name, value in probability.items()}
    return settings.model_copy(update={"ablation_probability": by_value})
