"""Settings of the latent-diffusion ControlNet baseline: where its networks start, and its three stages.

Stage 1 trains the autoencoder, stage 2 a UNet on its latents, stage 3 the ControlNet that brings in the mask.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from segguided.config.base import Settings
from segguided.config.checks.addresses import check_address
from segguided.config.models.base import Channels, ModelSettings
from segguided.config.models.diffusion import NoiseSchedule, PredictionType
from segguided.config.models.mask_ablation import AblatedTraining
from segguided.config.models.training import MicroBatchSize, Training


def _check_groups(channels: Sequence[int], norm_groups: int) -> None:
    uneven = [c for c in channels if c % norm_groups]
    if uneven:
        raise ValueError(f"channels {uneven} are not multiples of norm_groups={norm_groups}; change either")


class AutoencoderSize(Settings):
    """diffusers' AutoencoderKL; each level after the first halves the image."""

    channels: tuple[Channels, ...] = Field(min_length=1)
    latent_channels: int = Field(default=4, ge=1)
    layers_per_block: int = Field(default=2, ge=1)
    norm_groups: int = Field(default=32, ge=1)
    attention: bool = True  # in the middle, over all latent positions

    @model_validator(mode="after")
    def _groups_divide_channels(self) -> "AutoencoderSize":
        _check_groups(self.channels, self.norm_groups)
        return self


class LatentUnetSize(Settings):
    """diffusers' UNet2DConditionModel. Levels count from the finest, 0."""

    channels: tuple[Channels, ...] = Field(min_length=1)
    attention_levels: tuple[int, ...] = ()  # with cross-attention to the prompt, as in Stable Diffusion
    attention_heads: int = Field(default=8, ge=1)
    layers_per_block: int = Field(default=2, ge=1)
    norm_groups: int = Field(default=32, ge=1)

    @model_validator(mode="after")
    def _attention_fits(self) -> "LatentUnetSize":
        _check_groups(self.channels, self.norm_groups)
        levels = len(self.channels)
        for level in self.attention_levels:
            if not 0 <= level < levels:
                raise ValueError(f"attention_levels names {level}, but {levels} levels count from 0")
            if self.channels[level] % self.attention_heads:
                raise ValueError(
                    f"{self.channels[level]} channels at level {level} do not divide among "
                    f"{self.attention_heads} attention_heads; change either"
                )
        return self


class Pretrained(Settings):
    """Start from a pipeline in Stable Diffusion's layout: vae/, unet/, text_encoder/, tokenizer/."""

    kind: Literal["pretrained"]
    source: str = Field(min_length=1)  # a local folder, or the id of a repository on the Hugging Face hub

    @field_validator("source")
    @classmethod
    def _no_login(cls, source: str) -> str:
        return check_address(source) if "://" in source else source


class Scratch(Settings):
    """The same architecture in any size, from random weights."""

    kind: Literal["scratch"]
    # Snakemake merges configuration files key by key. A file that replaces `pretrained` sets null here.
    source: None = None
    autoencoder: AutoencoderSize
    unet: LatentUnetSize


class AutoencoderTraining(Settings):
    """Stage 1: Σ |x − decode(z)| + kl_weight · KL(q(z|x) ‖ N(0, 1)), sums over image and latent."""

    kl_weight: float = Field(ge=0)
    micro_batch_size: MicroBatchSize = None
    training: Training


class LatentTraining(Settings):
    """Stage 2: the diffusion of latents, without a mask. Stage 3 keeps its schedule and prediction type."""

    prediction_type: PredictionType = "epsilon"
    schedule: NoiseSchedule = NoiseSchedule(growth="scaled_linear", beta_start=0.00085, beta_end=0.012)
    micro_batch_size: MicroBatchSize = None
    training: Training


class ControlTraining(AblatedTraining):
    """Stage 3: the ControlNet, a trainable copy of the UNet's encoder that sees the mask as its hint."""

    conditioning: Literal["index255_rgb", "index255", "onehot"]
    hint_channels: tuple[Channels, ...] = Field(min_length=1)  # each after the first halves the mask
    sd_locked: bool  # false: the UNet's decoder is trained along
    micro_batch_size: MicroBatchSize = None
    training: Training

    @property
    def needs_full_annotation(self) -> bool:
        """Whether it trains on fully annotated patients alone, for it knows no free classes."""
        return self.mask_ablation == "none"


class AutoencoderStage(Settings):
    """All settings that decide what stage 1 makes."""

    start: Pretrained | AutoencoderSize
    settings: AutoencoderTraining

    @classmethod
    def from_settings(cls, init: Pretrained | Scratch, settings: AutoencoderTraining) -> "AutoencoderStage":
        """Stage 1 of a model. The sizes of the other networks do not matter to it."""
        return cls(start=init.autoencoder if isinstance(init, Scratch) else init, settings=settings)


class LatentStage(Settings):
    """All settings that decide what stage 2 makes, beside the result of stage 1."""

    start: Pretrained | LatentUnetSize
    settings: LatentTraining

    @classmethod
    def from_settings(cls, init: Pretrained | Scratch, settings: LatentTraining) -> "LatentStage":
        """Stage 2 of a model. The size of the autoencoder does not matter to it."""
        return cls(start=init.unet if isinstance(init, Scratch) else init, settings=settings)


class ControlNetModel(ModelSettings):
    """A latent diffusion model with a ControlNet (Rombach et al. 2022; Zhang et al. 2023)."""

    kind: Literal["controlnet"]
    init: Annotated[Pretrained | Scratch, Field(discriminator="kind")]
    autoencoder: AutoencoderTraining
    latent: LatentTraining
    control: ControlTraining

    @model_validator(mode="after")
    def _hint_shrinks_as_the_image(self) -> "ControlNetModel":
        hint = self.control.hint_channels
        if isinstance(self.init, Scratch) and len(hint) != len(self.init.autoencoder.channels):
            raise ValueError(
                f"control.hint_channels has {len(hint)} levels and init.autoencoder.channels "
                f"{len(self.init.autoencoder.channels)}: mask and image must shrink alike; "
                "give both the same number of levels"
            )
        return self

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        halvings = len(self.control.hint_channels) - 1
        if isinstance(self.init, Scratch):
            halvings += len(self.init.unet.channels) - 1
        return 1 << halvings

    @property
    def timesteps(self) -> int:
        """Length of its noise schedule."""
        return self.latent.schedule.timesteps

    @property
    def trained_with_ablation(self) -> bool:
        """Whether the training of its ControlNet removed classes from masks at random."""
        return not self.control.needs_full_annotation
