"""Settings of the mask completer: small diffusion models of class shares, from coarse to fine."""

import math
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


class Mlp(Settings):
    """A residual multilayer perceptron that sees all cells at once: for few cells."""

    width: int = Field(default=384, ge=2)
    blocks: int = Field(default=3, ge=1)


class CompletionStage(Settings):
    """One diffusion model of the cascade: the share of each class in each cell of the mask.

    It sees the shares of the kept classes, which classes are free, and the shares that the stage before it
    gave. Its network is a UNet or, for the first stage, an MLP.
    """

    cell: int = Field(ge=1)  # side of a cell in pixels; 1: the mask itself
    unet: Unet | None = None
    mlp: Mlp | None = None
    middle_attention: bool = True  # at the coarsest level of the UNet
    copies: int = Field(default=1, ge=1)  # of each mask of a batch, each with changes and noise of its own
    one_in: int = Field(default=1, ge=1)  # masks of a batch is learnt from, where an example costs much
    # √SNR at half of the time; the lower, the more of the training is spent on much noise
    noise_scale: float = Field(default=1.0, gt=0, le=100)
    # Side in cells of the squares with a random number each, smoothly enlarged: smooth outlines, no grain
    noise_patch: int = Field(default=1, ge=1)
    steps: int = Field(default=20, ge=1)  # network calls for one mask

    @model_validator(mode="after")
    def _has_one_network(self) -> "CompletionStage":
        if (self.unet is None) == (self.mlp is None):
            given = "both" if self.unet else "neither"
            raise ValueError(f"the stage with cells of {self.cell} needs `unet` or `mlp`, got {given}")
        return self

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return self.cell * math.lcm(self.noise_patch, self.unet.stride if self.unet else 1)

    @property
    def finer(self) -> int:
        """Side in pixels of the finer cells in which training masks are changed."""
        return max(1, self.cell // 4) if self.cell % 4 == 0 else 1

    @property
    def detail(self) -> int:
        """Side in pixels of the cells in which the kept classes are shown to it."""
        return self.finer if self.unet else self.cell


def check_stages(stages: Sequence[CompletionStage]) -> None:
    """Raise ValueError unless the stages go from coarse cells to pixels."""
    cells = [stage.cell for stage in stages]
    are_even = all(coarse % fine == 0 and coarse > fine for coarse, fine in pairwise(cells))
    if not are_even or cells[-1] != 1:
        raise ValueError(
            f"the stages have cells of {cells} pixels; expected each to be a multiple of the next, and "
            "the last to be 1"
        )
    late = [stage.cell for stage in stages[1:] if stage.mlp]
    if late:
        raise ValueError(
            f"the stage with cells of {late[0]} has an `mlp`, which only the first can; give it a `unet`"
        )


class MaskCompleter(Settings):
    """Fills in the free classes of masks; trained on the masks of the training patients."""

    stages: tuple[CompletionStage, ...] = Field(min_length=1)
    augmentation: MaskAugmentation | None = MaskAugmentation()
    training: Training

    @model_validator(mode="after")
    def _from_coarse_to_fine(self) -> "MaskCompleter":
        check_stages(self.stages)
        most = self.group
        if min(stage.one_in for stage in self.stages) > 1:
            raise ValueError(
                "each stage has `one_in` above 1, so that no stage learns from the other masks; leave it "
                "out in one of them, and lower `batch_size`"
            )
        for stage in self.stages:
            if most % stage.one_in or self.training.batch_size % most:
                raise ValueError(
                    f"the stage with cells of {stage.cell} learns from one in {stage.one_in} masks, another "
                    f"from one in {most}, of a batch of {self.training.batch_size}; expected `one_in` to "
                    "divide the largest, and the largest to divide `batch_size`"
                )
        return self

    @property
    def group(self) -> int:
        """How many masks belong together, because a stage may learn from one in several of them."""
        return max(stage.one_in for stage in self.stages)
