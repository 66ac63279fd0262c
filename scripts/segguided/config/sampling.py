"""Settings of generating images; no training depends on them."""

from pydantic import Field

from segguided.config.base import Settings
from segguided.config.models.sampling_changes import Sampler, SamplingChanges, Spacing, StepAblation
from segguided.config.models.training import Precision


class Generation(Settings):
    """What generating images asks of any model. Both fields decide the last bits of an image."""

    batch_size: int = Field(ge=1)
    precision: Precision = "auto"


class Sampling(Generation):
    """How a diffusion model samples its images from noise. Its steps add no noise of their own (η = 0)."""

    sampler: Sampler
    steps: int = Field(ge=1)
    timestep_spacing: Spacing = "leading"
    mask_ablation: StepAblation = "none"
    # Over masks: prediction + guidance · (prediction − that of a mask with all classes free). 0: none.
    guidance: float = Field(default=0.0, ge=0)

    def generation_json(self) -> str:
        """The fields for models that sample in no steps, or with a sampler of their own."""
        return self.to_json(Generation.model_fields)

    def in_one_call(self) -> "Sampling":
        """The same for a model that samples in no steps: equal, whatever the section says of steps."""
        return Sampling(batch_size=self.batch_size, precision=self.precision, sampler="ddim", steps=1)

    def changed(self, changes: SamplingChanges) -> "Sampling":
        """The same, with the values that `changes` names."""
        return self.model_copy(update=changes.model_dump(exclude_none=True))
