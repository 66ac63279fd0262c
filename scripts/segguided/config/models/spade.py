"""Settings of the SPADE baseline (Park et al., CVPR 2019); the defaults are those of the authors' code."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from segguided.config.base import Settings
from segguided.config.models.base import Channels, ModelSettings
from segguided.config.models.init_from import InitFrom
from segguided.config.models.mask_ablation import AblatedTraining
from segguided.config.models.movement import MovedTraining, Movement
from segguided.config.models.perceptual import Perceptual
from segguided.config.models.training import FixedMicroBatchSize, Precision, TrainingLength

FirstWeights = Literal["xavier", "he"]


class SpadeGenerator(Settings):
    """Residual blocks whose normalisation is modulated by the mask. Levels count from the finest, 0."""

    channels: tuple[Channels, ...] = Field(min_length=2)
    middle_blocks: int = Field(default=2, ge=1)  # of the second-coarsest level; the others have one block
    # Of the layer between the mask and the scale and shift of each norm.
    modulation_channels: int = Field(default=128, ge=1)
    norm: Literal["batch", "instance"] = "batch"  # what is modulated

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels; the coarsest map is two pixels a side."""
        return 2 << (len(self.channels) - 1)


class SpadeDiscriminator(Settings):
    """PatchGAN discriminators; each reads image and mask at half the size of the one before."""

    channels: int = Field(default=64, ge=1)  # of the first layer; doubled in each further one
    layers: int = Field(default=4, ge=2)  # before the layer that judges
    scales: int = Field(default=2, ge=1)


class SpadeLosses(Settings):
    """Weights of the terms of the generator's loss."""

    adversarial: float = Field(default=1.0, ge=0)
    feature_matching: float = Field(default=10.0, ge=0)
    perceptual: float = Field(default=10.0, ge=0)


class AdversarialTraining(TrainingLength):
    """One training run of two networks, each with Adam and a learning rate of its own."""

    generator_learning_rate: float = Field(default=1e-4, gt=0)
    discriminator_learning_rate: float = Field(default=4e-4, gt=0)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.0, 0.9)
    # Both rates fall to 0 over this last part of the run, in a straight line.
    decay_share: float = Field(default=0.0, ge=0, le=1)
    mirror: bool = True  # each training image and its mask are mirrored, left to right, with probability ½
    # On all GPUs together, at once; batch norm computes its statistics over these images.
    micro_batch_size: FixedMicroBatchSize = None
    ema_decay: float | None = Field(default=None, gt=0, lt=1)  # of the generator; None: no weight averaging
    precision: Precision = "auto"


class SpadeModel(MovedTraining, AblatedTraining, ModelSettings):
    """A GAN that generates an image from a mask in one pass."""

    kind: Literal["spade"]
    generator: SpadeGenerator
    discriminator: SpadeDiscriminator = SpadeDiscriminator()
    losses: SpadeLosses = SpadeLosses()
    perceptual: Perceptual
    first_weights: FirstWeights = "xavier"  # of both networks
    training: AdversarialTraining
    # A trained generator to begin with, None: random weights. The discriminator always begins anew.
    init_from: InitFrom | None = Field(default=None, exclude=True)
    decide_weights: ClassVar = frozenset(
        {"kind", "generator", "discriminator", "losses", "perceptual", "first_weights", "training"}
        | {"mask_ablation", "ablated_share", "ablation_probability", "augmentation"}
    )

    @model_validator(mode="after")
    def _begins_from_a_run(self) -> "SpadeModel":
        if self.init_from and self.init_from.run is None:
            raise ValueError(
                "init_from names a folder with a UNet, but the kind spade has none; name the `run` of "
                "another SPADE"
            )
        return self

    @property
    def movement(self) -> Movement | None:
        """How training images are moved: `augmentation`, and mirrored where either key says so."""
        if not self.training.mirror:
            return self.augmentation
        return Movement(shift=self.augmentation.shift if self.augmentation else 0, mirror=True)

    @property
    def trained_with_ablation(self) -> bool:
        """Whether its training removed classes from masks at random."""
        return self.mask_ablation != "none"

    @property
    def needs_statistics(self) -> bool:
        """Whether the averaged generator needs new statistics for its batch norm."""
        return self.training.ema_decay is not None and self.generator.norm == "batch"

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return self.generator.stride
