"""Settings of tissues: classes divided by grey value, and the small models that draw where the parts lie."""

from pydantic import Field, field_validator

from segguided.config.base import Settings
from segguided.config.models.completer import CompletionStage, MaskAugmentation, check_stages


class Tissues(Settings):
    """Each large class is divided into parts of alike grey values, and so is what lies outside all classes.

    The image network sees the parts as further classes. Where they lie is drawn first, from the mask, by
    models of their own, which train beside the image network.
    """

    parts: int = Field(default=3, ge=2, le=8)  # of each class that is divided
    # A class is divided if it has this share of the training images' pixels: of a small one, texture would be
    # divided.
    least_share: float = Field(default=0.05, gt=0, lt=1)
    # Side in pixels of the median filter that images see before, so that noise is not divided. It should grow
    # with the image size.
    filter_size: int = Field(default=5, ge=1, le=31)
    stages: tuple[CompletionStage, ...] = Field(min_length=1)  # as a completer's
    augmentation: MaskAugmentation | None = MaskAugmentation()  # of the maps they learn from
    every: int = Field(default=2, ge=1, le=16)  # steps of the image network for one of theirs

    @field_validator("filter_size")
    @classmethod
    def _has_a_middle(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(f"expected an odd number, so that the filter has a middle, got {size}")
        return size

    @field_validator("stages")
    @classmethod
    def _from_coarse_to_fine(cls, stages: tuple[CompletionStage, ...]) -> tuple[CompletionStage, ...]:
        check_stages(stages)
        few = [stage.cell for stage in stages if stage.one_in > 1]
        if few:
            raise ValueError(
                f"the stage with cells of {few[0]} has `one_in`, which is for a completer; tissues learn "
                "from each image of a batch, so leave it out"
            )
        return stages
