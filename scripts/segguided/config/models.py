"""Settings of the networks, of their training and of sampling."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from segguided.config.base import Settings

Channels = Annotated[int, Field(ge=1)]
Precision = Literal["auto", "bf16", "fp32"]  # auto: bf16 where the device computes it natively


class Length(Settings):
    """How long a training run is."""

    epochs: int | None = Field(default=None, ge=1)  # exactly one of epochs and steps
    steps: int | None = Field(default=None, ge=1)
    batch_size: int = Field(ge=1)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            given = "both" if self.epochs else "neither"
            raise ValueError(f"expected either epochs or steps, got {given}; set one, and the other to null")
        return self


class Training(Length):
    """One training run of one network: length, optimiser and averaging."""

    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    gradient_clip: float = Field(default=1.0, gt=0)
    ema_decay: float | None = Field(default=None, gt=0, lt=1)  # None: no weight averaging
    precision: Precision = "auto"


class Unet(Settings):
    """diffusers' UNet2DModel. Levels count from the finest, 0."""

    channels: tuple[Channels, ...] = Field(min_length=1)
    attention_levels: tuple[int, ...] = ()
    layers_per_block: int = Field(default=2, ge=1)
    norm_groups: int = Field(default=32, ge=1)
    patch: int = Field(default=1, ge=1)  # space-to-depth before the first layer: patch² fewer positions

    @model_validator(mode="after")
    def _consistent(self) -> "Unet":
        bad = [c for c in self.channels if c % self.norm_groups]
        if bad:
            raise ValueError(
                f"channels {bad} are not multiples of norm_groups={self.norm_groups}; change either"
            )
        outside = [level for level in self.attention_levels if not 0 <= level < len(self.channels)]
        if outside:
            raise ValueError(
                f"attention_levels {outside} do not exist; {len(self.channels)} levels count from 0"
            )
        return self

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return self.patch << (len(self.channels) - 1)


class NoiseSchedule(Settings):
    """The noise of DDPM: β grows linearly, or, as in Stable Diffusion, √β does (`scaled_linear`)."""

    growth: Literal["linear", "scaled_linear"] = "linear"
    timesteps: int = Field(default=1000, ge=2)
    beta_start: float = Field(default=1e-4, gt=0, lt=1)
    beta_end: float = Field(default=0.02, gt=0, lt=1)

    @model_validator(mode="after")
    def _rising(self) -> "NoiseSchedule":
        if self.beta_start > self.beta_end:
            raise ValueError(
                f"noise must grow, got beta_start={self.beta_start:g} above beta_end={self.beta_end:g}; "
                "swap them"
            )
        return self


PredictionType = Literal["epsilon", "v_prediction", "sample"]  # sample: x0 itself


class ModelSettings(Settings):
    """What the grid asks of a model of any kind."""

    title: str | None = None  # in tables and figures; None: its name
    # The fields that decide what training or importing makes; another value of one left out retrains nothing.
    decide_weights: ClassVar[frozenset[str]] = frozenset({"kind"})

    @field_validator("title")
    @classmethod
    def _no_option(cls, title: str | None) -> str | None:
        if title and title.startswith("-"):
            raise ValueError(f"'{title}' begins with '-', which commands take for an option; begin otherwise")
        return title

    def training_json(self) -> str:
        """The settings that decide the weights, for a training script."""
        return self.to_json(self.decide_weights)

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        raise NotImplementedError

    @property
    def timesteps(self) -> int | None:
        """Length of its noise schedule; None: its images are not drawn step by step."""
        return None

    @property
    def sees_a_mask(self) -> bool:
        """Whether its images follow a mask."""
        return True

    @property
    def denoises_under_a_mask(self) -> bool:
        """Whether it is an image-space diffusion model that sees the mask at every step."""
        return False


class DenoiserSettings(ModelSettings):
    """What sampling asks of a model whose images are drawn from noise, step by step."""

    prediction_type: PredictionType = "epsilon"
    schedule: NoiseSchedule = NoiseSchedule()

    @property
    def timesteps(self) -> int:
        """Length of its noise schedule."""
        return self.schedule.timesteps


class DiffusionModel(DenoiserSettings):
    """An image-space diffusion model, with or without a mask beside the noisy image."""

    kind: Literal["diffusion"]
    conditioning: Literal["none", "index255", "onehot"]
    mask_ablation: Literal["none", "sample", "batch"] = "none"  # whom each draw of classes serves
    # The loss weighs the error of x0 by min(SNR, γ), whatever is predicted; None: the paper's plain loss.
    min_snr_gamma: float | None = Field(default=None, gt=0)
    unet: Unet
    part_size: int | None = Field(default=None, ge=1)  # images on the device at once; None: the whole batch
    training: Training
    decide_weights: ClassVar = frozenset(
        {"kind", "prediction_type", "schedule", "conditioning", "mask_ablation", "min_snr_gamma", "unet"}
        | {"part_size", "training"}
    )

    @model_validator(mode="after")
    def _ablates_a_mask(self) -> "DiffusionModel":
        if self.conditioning == "none" and self.mask_ablation != "none":
            raise ValueError("mask_ablation needs a mask, but conditioning is none; change either")
        return self

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return self.unet.stride

    @property
    def denoises_under_a_mask(self) -> bool:
        """Whether it sees the mask at every step."""
        return self.sees_a_mask

    @property
    def sees_a_mask(self) -> bool:
        """Whether its images follow a mask."""
        return self.conditioning != "none"


class Augmentation(Settings):
    """Random changes of a training image, drawn anew for each sample; its mask moves with it."""

    rotation_deg: float = Field(default=10, ge=0, le=180)  # up to this angle, either way
    scale: float = Field(default=0.1, ge=0, lt=1)  # size times 1 ± this
    shift: float = Field(default=0.05, ge=0, lt=1)  # by up to this share of the image
    contrast: float = Field(default=0.2, ge=0, lt=1)  # grey values times 1 ± this, about mid-grey
    brightness: float = Field(default=0.1, ge=0, lt=1)  # plus or minus this share of the grey scale
    noise: float = Field(default=0.02, ge=0, lt=1)  # standard deviation up to this share of the grey scale


class Segmenter(Settings):
    """The auxiliary MONAI UNet that measures; trained with Dice + cross-entropy."""

    channels: tuple[Channels, ...] = Field(min_length=2)
    residual_units: int = Field(default=2, ge=0)
    augmentation: Augmentation | None = None
    training: Training

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return 1 << (len(self.channels) - 1)


class Drawing(Settings):
    """What drawing images asks of any model. Both decide the last bits of an image."""

    batch_size: int = Field(ge=1)
    precision: Precision = "auto"


class Sampling(Drawing):
    """How images are drawn from a diffusion model; η = 0 throughout."""

    sampler: Literal["ddim", "dpm-solver++"]
    steps: int = Field(ge=1)
    timestep_spacing: Literal["leading", "trailing", "linspace"] = "leading"

    def drawing_json(self) -> str:
        """What of it reaches models that do not sample step by step, or by a sampler of their own."""
        return self.to_json(Drawing.model_fields)
