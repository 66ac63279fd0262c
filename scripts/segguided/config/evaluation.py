"""Settings of the evaluation."""

from pydantic import Field

from segguided.config.base import Settings


class Resampling(Settings):
    """Test halves and bootstrap intervals: what measuring Dice asks for."""

    halves_seed: int = Field(
        default=0, ge=0
    )  # which half of the test patients selects segmenters, which measures
    bootstrap_resamples: int = Field(default=1000, ge=100)
    bootstrap_seed: int = Field(default=0, ge=0)


class Evaluation(Resampling):
    """What measuring a model asks for: also the kernel distance of Table 3."""

    # Mean and deviation over random subsets (Bińkowski et al.: 100 of 1000); of few images, half of them.
    kernel_subsets: int = Field(default=100, ge=2)
    kernel_subset_size: int = Field(default=1000, ge=2)
    kernel_seed: int = Field(default=0, ge=0)
