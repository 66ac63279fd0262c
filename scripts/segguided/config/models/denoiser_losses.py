"""Settings of what a diffusion model learns from: the squared error of the paper, and losses on x0.

x̂0 is the image that the network predicts in one call from a noisy image and a mask.
"""

from typing import Annotated

from pydantic import Field, model_validator

from segguided.config.base import Settings
from segguided.config.models.perceptual import PerceptualNetwork
from segguided.config.models.spade import SpadeDiscriminator


class PatchDiscriminator(SpadeDiscriminator):
    """SPADE's patch discriminators, which judge x̂0 beside its mask, and their optimiser."""

    learning_rate: float = Field(default=4e-4, gt=0)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.0, 0.9)


class EnergyScore(Settings):
    """The energy score of random filters' responses, on a pyramid of the image.

    Each image is predicted twice, from one noisy image and two noise inputs. The score is smallest for
    predictions whose responses have the distribution of the real ones, so they are neither blurred nor all
    alike (Gneiting & Raftery 2007). A model with it has a noise input, and is sampled by `renoise`.
    """

    weight: float = Field(default=1.0, gt=0)
    filters: int = Field(default=8, ge=1)  # random ones, new at each step, at each level of the pyramid
    filter_size: int = Field(default=3, ge=3)  # pixels a side, odd
    levels: int = Field(default=5, ge=1)  # of the pyramid; each halves the side of the one before
    # Weight of the score of blocks of responses, each as one vector: what lies in a block fits together.
    blocks: float = Field(default=0.0, ge=0)
    block_side: int = Field(default=8, ge=2)  # in pixels of the pyramid's level; read where `blocks` is not 0
    perceptual: float = Field(default=0.0, ge=0)  # weight of the same score of `perceptual_network`'s maps

    @model_validator(mode="after")
    def _odd(self) -> "EnergyScore":
        if self.filter_size % 2 == 0:
            raise ValueError(
                f"filter_size is {self.filter_size}, but a filter has a pixel in its middle; "
                f"use {self.filter_size + 1}"
            )
        return self

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return 1 << (self.levels - 1)


class DenoiserLosses(Settings):
    """The terms of the loss with their weights; as they are by default, the paper's equation (1) alone."""

    squared_error: float = Field(default=1.0, ge=0)
    energy_score: EnergyScore | None = None
    perceptual: float = Field(default=0.0, ge=0)  # distance in the maps of `perceptual_network`
    perceptual_network: PerceptualNetwork | None = None
    sliced_wasserstein: float = Field(default=0.0, ge=0)  # of filter responses, class by class
    adversarial: float = Field(default=0.0, ge=0)  # hinge
    feature_matching: float = Field(default=0.0, ge=0)  # of the discriminator's maps
    discriminator: PatchDiscriminator | None = None
    # The last four have no weight in the first steps, before x̂0 looks like an image.
    from_step: int = Field(default=0, ge=0)
    # The losses see predictions cut to black and white, as images are. To keep a gradient, this share of
    # what is cut off is added. 1: they are not cut.
    slope_outside: float = Field(default=1.0, gt=0, le=1)
    # So many of the images have the last time step, where sampling begins: nothing is known of the image. The
    # others have any.
    pure_noise_share: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _has_a_term(self) -> "DenoiserLosses":
        if not (self.squared_error or self.energy_score):
            raise ValueError(
                "squared_error is 0 and there is no energy_score, but one of them must tie the image to its "
                "mask; set either"
            )
        if (self.adversarial or self.feature_matching) and self.discriminator is None:
            raise ValueError(
                "adversarial and feature_matching are losses of a discriminator, which is missing; add "
                "`discriminator`, or set both to 0"
            )
        if self.from_step and not (self.discriminator or self.sliced_wasserstein):
            raise ValueError(
                f"from_step is {self.from_step}, but no loss waits for it; remove it, or add a discriminator "
                "or sliced_wasserstein"
            )
        if self.discriminator and not (self.adversarial or self.feature_matching):
            raise ValueError(
                "there is a discriminator, but adversarial and feature_matching are 0; set either, or remove "
                "the discriminator"
            )
        return self

    @model_validator(mode="after")
    def _has_the_network_of_its_maps(self) -> "DenoiserLosses":
        weights = {
            "perceptual": self.perceptual,
            "energy_score.perceptual": self.energy_score.perceptual if self.energy_score else 0.0,
        }
        used = " and ".join(f"{name} is {weight:g}" for name, weight in weights.items() if weight)
        if used and self.perceptual_network is None:
            raise ValueError(
                f"{used}, but perceptual_network is missing; add it, or set each of these weights to 0"
            )
        if self.perceptual_network and not used:
            raise ValueError(
                "perceptual_network is given, but no loss reads its maps: perceptual and "
                "energy_score.perceptual are 0; set either, or remove the network"
            )
        return self

    @property
    def is_papers(self) -> bool:
        """Whether this is the paper's loss: no other term, prediction or choice of times than its own."""
        return self == DenoiserLosses()
