"""Settings of generating images; no training depends on them."""

from typing import Literal

from pydantic import Field

from segguided.config.base import Settings
from segguided.config.models.training import Precision


class Generation(Settings):
    """What generating images asks of any model. Both fields decide the last bits of an image."""

    batch_size: int = Field(ge=1)
    precision: Precision = "auto"


class Sampling(Generation):
    """How a diffusion model samples its images from noise. Nothing is random after the noise (η = 0)."""

    sampler: Literal["ddim", "dpm-solver++"]
    steps: int = Field(ge=1)
    timestep_spacing: Literal["leading", "trailing", "linspace"] = "leading"

    def generation_json(self) -> str:
        """The fields for models that sample in no steps, or with a sampler of their own."""
        return self.to_json(Generation.model_fields)
