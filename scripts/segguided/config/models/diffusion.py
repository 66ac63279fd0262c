"""Settings of image-space diffusion models: noise schedule, network, and what it predicts."""

from math import lcm
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from segguided.config.base import Settings
from segguided.config.models.base import ModelSettings
from segguided.config.models.completer import MaskCompleter
from segguided.config.models.decoder import Decoder
from segguided.config.models.denoiser_losses import DenoiserLosses
from segguided.config.models.init_from import InitFrom
from segguided.config.models.mask_ablation import (
    EVEN,
    AblationProbability,
    MaskAblation,
    check_ablation_settings,
    is_even,
)
from segguided.config.models.movement import MovedTraining
from segguided.config.models.perceptual import NoPerceptual, Perceptual
from segguided.config.models.sampling_changes import SamplingChanges
from segguided.config.models.tissues import Tissues
from segguided.config.models.training import AUTO, MicroBatchSize, Training
from segguided.config.models.unet import Unet


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


class DenoiserSettings(ModelSettings):
    """What sampling needs to know of a model that generates from noise, step by step."""

    mask_ablation: MaskAblation = "none"  # how it is trained, or was elsewhere
    prediction_type: PredictionType = "epsilon"
    schedule: NoiseSchedule = NoiseSchedule()

    @property
    def timesteps(self) -> int:
        """Length of its noise schedule."""
        return self.schedule.timesteps

    @property
    def noise_inputs(self) -> int:
        """Channels of noise that it sees beside the noisy image: from them its predictions differ."""
        return 0

    @property
    def denoises_under_a_mask(self) -> bool:
        """Whether it sees the mask at every step."""
        return self.sees_a_mask

    @property
    def trained_with_ablation(self) -> bool:
        """Whether its training removed classes from masks at random."""
        return self.mask_ablation != "none"


class DiffusionModel(MovedTraining, DenoiserSettings):
    """An image-space diffusion model, with or without a mask beside the noisy image."""

    kind: Literal["diffusion"]
    # onehot_free: a channel a class, then one a class that is 1 where the class is free, to tell it from
    # background.
    conditioning: Literal["none", "index255", "onehot", "onehot_free"]
    ablated_share: float = Field(default=1.0, gt=0, le=1)  # of the training images that mask_ablation changes
    ablation_probability: AblationProbability = Field(default=EVEN, exclude_if=is_even)
    # The loss weighs the error of x0 by min(SNR, γ), whatever is predicted; None: the paper's plain loss.
    min_snr_gamma: float | None = Field(default=None, gt=0)
    losses: DenoiserLosses = DenoiserLosses()
    # The network: the paper's UNet, or a decoder whose norms mask and noisy image modulate.
    unet: Unet | None = None
    decoder: Decoder | None = None
    micro_batch_size: MicroBatchSize = None
    training: Training
    sampling: SamplingChanges = SamplingChanges()  # what it samples otherwise than the section `sampling`
    # Classes divided by grey value, which it sees as further classes; None: it sees the mask as it is.
    tissues: Tissues | None = Field(default=None, exclude_if=lambda tissues: tissues is None)
    # Fills in the free classes of a partial mask, before an image is generated; None: the network is left to
    # see what is free. A model of its own, so it decides no weights of this one.
    completer: MaskCompleter | None = None
    # Trained weights to begin with, None: random ones. Given to the training apart from the other settings:
    # command and files of a training without it stay what they are.
    init_from: InitFrom | None = Field(default=None, exclude=True)
    decide_weights: ClassVar = frozenset(
        {"kind", "prediction_type", "schedule", "conditioning", "mask_ablation", "min_snr_gamma", "unet"}
        | {"ablated_share", "ablation_probability", "losses", "decoder", "micro_batch_size", "training"}
        | {"augmentation", "tissues"}
    )

    @model_validator(mode="after")
    def _ablates_a_mask(self) -> "DiffusionModel":
        if self.conditioning == "none" and self.mask_ablation != "none":
            raise ValueError("mask_ablation needs a mask, but conditioning is none; change either")
        if self.conditioning == "onehot_free" and self.mask_ablation == "none":
            raise ValueError(
                "conditioning is onehot_free, but mask_ablation is none, so no class is free in training; "
                "set mask_ablation: sample, or conditioning: onehot"
            )
        check_ablation_settings(self)
        return self

    @model_validator(mode="after")
    def _completes_masks_that_it_sees(self) -> "DiffusionModel":
        if self.completer and self.conditioning == "none":
            raise ValueError("a completer fills in masks, but conditioning is none; change either")
        return self

    @model_validator(mode="after")
    def _knows_which_classes_it_divides(self) -> "DiffusionModel":
        if self.tissues and (self.conditioning != "onehot" or self.mask_ablation != "none"):
            raise ValueError(
                "tissues are drawn from whole masks and seen as classes, but conditioning is "
                f"{self.conditioning} and mask_ablation is {self.mask_ablation}; set conditioning: onehot "
                "and mask_ablation: none, or tissues: null"
            )
        if self.tissues and self.init_from:
            raise ValueError(
                "init_from begins with weights of other classes than tissues, which each training divides "
                "anew; remove either"
            )
        return self

    @model_validator(mode="after")
    def _knows_its_micro_batches(self) -> "DiffusionModel":
        if self.losses.discriminator and self.micro_batch_size == AUTO:
            raise ValueError(
                "micro_batch_size is auto, but a discriminator's spectral norms follow one micro-batch after "
                "another, so weights would depend on the GPU; give a number, or null for the whole batch"
            )
        return self

    @model_validator(mode="after")
    def _has_one_network(self) -> "DiffusionModel":
        if (self.unet is None) == (self.decoder is None):
            given = "both" if self.unet else "neither"
            raise ValueError(f"expected either unet or decoder, got {given}; set one, and the other to null")
        if self.decoder and self.prediction_type != "sample":
            raise ValueError(
                f"prediction_type is {self.prediction_type}, but a decoder ends in an image; set "
                "prediction_type: sample, or use a unet"
            )
        return self

    @model_validator(mode="after")
    def _predicts_what_its_losses_see(self) -> "DiffusionModel":
        if self.losses.is_papers:
            return self
        if self.prediction_type != "sample":
            raise ValueError(
                f"prediction_type is {self.prediction_type}, but losses other than the squared error see the "
                "predicted image; set prediction_type: sample, or remove the other losses"
            )
        if self.min_snr_gamma is not None:
            raise ValueError(
                "min_snr_gamma weighs the squared error of the paper's loss alone; remove it, or the other "
                "losses"
            )
        if self.losses.sliced_wasserstein and self.conditioning == "none":
            raise ValueError(
                "losses.sliced_wasserstein compares class by class, but conditioning is none; change either"
            )
        return self

    @property
    def perceptual(self) -> Perceptual:
        """Which network's feature maps compare x̂0 with the image."""
        return self.losses.perceptual_network or NoPerceptual(kind="none")

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        pyramid = self.losses.energy_score
        network = self.unet or self.decoder
        stages = self.tissues.stages if self.tissues else ()
        return lcm(
            network.stride if network else 1,
            pyramid.stride if pyramid else 1,
            *(stage.stride for stage in stages),
        )

    @property
    def sees_a_mask(self) -> bool:
        """Whether its images follow a mask."""
        return self.conditioning != "none"

    @property
    def noise_inputs(self) -> int:
        """One where it learns a distribution: two predictions from one noisy image must be able to differ."""
        return 1 if self.losses.energy_score else 0
