"""Settings of a diffusion model that was trained elsewhere."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from segguided.config.checks.paths import UsablePath
from segguided.config.models.diffusion import DenoiserSettings
from segguided.config.models.unet import Unet


class ImportedModel(DenoiserSettings):
    """A plain diffusers UNet2DModel on disk, such as the checkpoints that the paper's authors publish."""

    kind: Literal["imported"]
    folder: UsablePath  # holds unet/, or is that folder: config.json and the weights
    conditioning: Literal["none", "index255", "onehot", "onehot_free"]  # the authors' weights: index255
    # DDIM clips x0 to ± this in every step, because the training images are in [-1, 1]; None: never
    clip_sample_range: float | None = Field(default=1, gt=0)
    unet: Unet | None = None  # the architecture of weights that come without a config.json
    decide_weights: ClassVar = frozenset(
        {"kind", "folder", "conditioning", "unet", "prediction_type", "schedule", "clip_sample_range"}
    )

    @field_validator("unet")
    @classmethod
    def _sees_whole_pixels(cls, unet: Unet | None) -> Unet | None:
        if unet and unet.patch != 1:
            raise ValueError(
                f"patch is {unet.patch}, but a UNet from elsewhere sees whole pixels; set patch: 1"
            )
        return unet

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels; without `unet` the import checks it."""
        return self.unet.stride if self.unet else 1

    @property
    def needs_full_annotation(self) -> bool:
        """Nothing is trained."""
        return False

    @property
    def sees_a_mask(self) -> bool:
        """Whether its images follow a mask."""
        return self.conditioning != "none"
