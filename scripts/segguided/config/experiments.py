"""Settings of what the paper shows beyond its tables: partial masks, adjustable similarity, applications."""

from typing import Annotated

from pydantic import Field, field_validator

from segguided.config.base import Settings


class PartialMasks(Settings):
    """Figures 3 and 6: images from test masks of which only some classes are kept."""

    models: tuple[str, ...] = Field(min_length=1)  # the first is shown most
    masks: int = Field(ge=1)  # test masks, spread evenly over those with two classes or more
    # Images a mask, each from noise of its own: what varies between them is free.
    samples_per_mask: int = Field(ge=2)


class Similarity(Settings):
    """Figure 4: generated and real image mixed at time step t̂, x^λ = λ·x'_t̂ + (1−λ)·x_t̂, and denoised."""

    model: str
    timestep: int = Field(ge=1)  # t̂
    lambdas: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(min_length=1)
    steps: int = Field(ge=2)  # of DDIM, with leading spacing, so that t̂ is one of them
    masks: int = Field(ge=1)  # test masks, spread evenly over those with two classes or more

    @field_validator("lambdas")
    @classmethod
    def _rising(cls, lambdas: tuple[float, ...]) -> tuple[float, ...]:
        if list(lambdas) != sorted(set(lambdas)):
            raise ValueError(f"expected rising values, got {list(lambdas)}; sort them, each once")
        return lambdas


class Translation(Settings):
    """Masks of one dataset (or modality) for a model of another."""

    masks: str  # dataset whose test masks are drawn from
    dataset: str  # dataset of the grid whose models draw


class Applications(Settings):
    """What `snakemake applications` makes besides the paper's tables and figures."""

    model: str  # draws rare cases and translations
    partial_model: str  # draws paired images from partial masks
    rare_images: int = Field(ge=1)  # images added to the segmenter's real ones
    translations: tuple[Translation, ...] = ()
