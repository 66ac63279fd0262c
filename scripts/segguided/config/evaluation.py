"""Settings of the evaluation."""

from pydantic import Field

from segguided.config.base import Settings


class Evaluation(Settings):
    """Test halves and bootstrap intervals."""

    halves_seed: int = Field(
        default=0, ge=0
    )  # which half of the test patients selects segmenters, which measures
    bootstrap_resamples: int = Field(default=1000, ge=100)
    bootstrap_seed: int = Field(default=0, ge=0)
