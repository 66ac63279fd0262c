"""Settings of how images are sampled; no training depends on them."""

from typing import Literal

from pydantic import Field

from segguided.config.base import Settings
from segguided.config.models.training import Precision


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
