"""What a model samples otherwise than the section `sampling` says."""

from typing import Literal

from pydantic import Field

from segguided.config.base import Settings

# renoise: x0, noise again to the next t, x0 …; for a model that predicts x0 and generates in very few steps.
Sampler = Literal["ddim", "dpm-solver++", "renoise"]
Spacing = Literal["leading", "trailing", "linspace"]
# step: at each sampling step each class of the mask is removed with probability ½, as in the training of MAT.
StepAblation = Literal["none", "step"]


class SamplingChanges(Settings):
    """What one model samples otherwise than the section `sampling` says; None: as there."""

    sampler: Sampler | None = None
    steps: int | None = Field(default=None, ge=1)
    timestep_spacing: Spacing | None = None
    mask_ablation: StepAblation | None = None
    guidance: float | None = Field(default=None, ge=0)
