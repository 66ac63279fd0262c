"""Settings of what the paper shows beyond its tables: partial masks, adjustable similarity, applications."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from segguided.config.base import Settings


class PartialMasks(Settings):
    """Figures 3 and 6: images from test masks that keep only some classes."""

    models: tuple[str, ...] = Field(min_length=1)  # the figures show most of the first
    masks: int = Field(ge=2)  # test masks, spread evenly over those with two classes or more
    # Images a mask, each from its own noise: what differs between them is free.
    samples_per_mask: int = Field(ge=2)


class Mixing(Settings):
    """Where generated and real image are mixed: at time step t̂, x^λ = λ·x'_t̂ + (1−λ)·x_t̂."""

    timestep: int = Field(default=240, ge=1)  # t̂
    steps: int = Field(default=50, ge=2)  # of DDIM, with leading spacing; t̂ must be one of them


class Similarity(Mixing):
    """Figure 4: generated and real image mixed at time step t̂, and denoised."""

    model: str
    lambdas: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(min_length=1)
    masks: int = Field(ge=1)  # test masks, spread evenly over those with two classes or more
    samples_per_mask: int = Field(default=3, ge=2)  # images of each λ, each from its own noise

    @field_validator("lambdas")
    @classmethod
    def _rising(cls, lambdas: tuple[float, ...]) -> tuple[float, ...]:
        if list(lambdas) != sorted(set(lambdas)):
            raise ValueError(f"expected rising values, got {list(lambdas)}; sort them, each once")
        return lambdas


class Translation(Settings):
    """Images of one dataset (or modality) from the masks of another."""

    masks: str  # dataset whose test masks are used
    dataset: str  # dataset of the grid whose models generate


class TranslationStart(Mixing):
    """Translated images that start from the noised image, beside those of its mask alone."""

    share: float = Field(default=1.0, gt=0, le=1)  # λ, of the image


class MaskChanges(Settings):
    """How far the new masks of rare cases may be from real ones."""

    # Standard deviation of the smooth random displacement, as a share of the image's side.
    deformation: float = Field(default=0.03, gt=0, le=0.1)
    combine: float = Field(default=0.5, ge=0, le=1)  # share that takes another mask's rare class, if one fits


class AllowedChanges(MaskChanges):
    """The same, and what the dataset's anatomy allows."""

    mirror: bool = False  # whether left and right may be exchanged


class RareCases(MaskChanges):
    """Rare-case augmentation: what images of new masks with a rare class add to a segmenter."""

    images: int = Field(ge=1)  # images added to the segmenter's real ones
    # With each seed, masks and noise are made anew, and the segmenter is trained with and without the images.
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1, 2), min_length=1)

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"expected different seeds, got {list(seeds)}; list each once")
        return seeds


Edit = Literal["remove", "grow", "shrink", "move", "other"]
EDITS: tuple[Edit, ...] = ("remove", "grow", "shrink", "move", "other")


class Counterfactuals(Mixing):
    """Images of test patients whose masks are edited, as near to the real ones elsewhere as λ says."""

    masks: int = Field(ge=1)  # test masks, spread evenly over those that allow each edit
    # The class that is edited, by dataset; of a dataset that is not named, the last of its classes.
    classes: Mapping[str, str] = {}
    edits: tuple[Edit, ...] = Field(default=EDITS, min_length=1)
    # How far the class grows and shrinks, as a share of the image's side; at least a pixel. It moves twice
    # as far.
    distance: float = Field(default=0.03, gt=0, le=0.25)
    share: float = Field(default=1.0, gt=0, le=1)  # λ: how near the image stays outside the edit

    @field_validator("edits")
    @classmethod
    def _each_once(cls, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
        if len(set(edits)) < len(edits):
            raise ValueError(f"expected different edits, got {', '.join(edits)}; list each once")
        return edits


class Applications(Settings):
    """What `snakemake applications` makes besides the paper's tables and figures."""

    model: str  # generates rare cases, translations and counterfactuals
    partial_model: str  # generates paired images from partial masks
    rare: RareCases | None = None  # None: no rare cases
    translations: tuple[Translation, ...] = ()
    translation_start: TranslationStart = TranslationStart()
    counterfactuals: Counterfactuals | None = None  # None: no counterfactuals
