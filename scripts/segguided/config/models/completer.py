"""Settings of the mask completer: small diffusion models of class shares, from coarse to fine."""

from collections.abc import Sequence
from itertools import pairwise

from pydantic import Field, model_validator

from segguided.config.base import Settings
from segguided.config.models.training import Training
from segguided.config.models.unet import Unet


class MaskAugmentation(Settings):
    """Random changes of a training mask, new ones each time it is used."""

    rotation_deg: float = Field(default=5, ge=0, le=180)  # up to this angle, either way
    scale: float = Field(default=0.1, ge=0, lt=1)  # width and height times 1 ± this, each on its own
    shift: float = Field(default=0.05, ge=0, lt=1)  # by up to this share of the image
    # Of a smooth random deformation: the standard deviation at its 6×6 knots, a share of the image.
    deformation: float = Field(default=0.02, ge=0, lt=1)


class CompletionStage(Settings):
    """One diffusion model of the cascade: the share of each class in each cell of the mask.

    It sees the shares of the kept classes, which classes are free, and the shares that the stage before it
    gave.
    """

    cell: int = Field(ge=1)  # side of a cell in pixels; 1: the mask itself
    unet: Unet
    middle_attention: bool = True  # at the coarsest level
    copies: int = Field(default=1, ge=1)  # of each mask of a batch, each with changes and noise of its own
    # √SNR at half of the time; the lower, the more of the training is spent on much noise
    noise_scale: float = Field(default=1.0, gt=0)
    steps: int = Field(default=20, ge=1)  # network calls for one mask

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return self.cell * self.unet.stride

    @property
    def detail(self) -> int:
        """Side in pixels of the finer cells in which the kept classes are shown to it."""
        return max(1, self.cell // 4) if self.cell % 4 == 0 else 1


def check_stages(stages: Sequence[CompletionStage]) -> None:
    """Raise ValueError unless the stages go from coarse cells to pixels."""
    cells = [stage.cell for stage in stages]
    are_even = all(coarse % fine == 0 and coarse > fine for coarse, fine in pairwise(cells))
    if not are_even or cells[-1] != 1:
        raise ValueError(
            f"the stages have cells of {cells} pixels; expected each to be a multiple of the next, and "
            "the last to be 1"
        )


class MaskCompleter(Settings):
    """Fills in the free classes of masks; trained on the masks of the training patients."""

    stages: tuple[CompletionStage, ...] = Field(min_length=1)
    augmentation: MaskAugmentation | None = MaskAugmentation()
    training: Training

    @model_validator(mode="after")
    def _from_coarse_to_fine(self) -> "MaskCompleter":
        check_stages(self.stages)
        return self
