"""Settings of a row that shares the weights of another model and samples its images in another way."""

from typing import ClassVar, Literal

from segguided.config.models.base import ModelSettings
from segguided.config.models.sampling_changes import SamplingChanges


class SharedWeightsModel(ModelSettings):
    """Nothing is trained: the same network generates a second set of images, which is measured by itself."""

    kind: Literal["shared_weights"]
    weights_of: str  # an image-space diffusion model of the same configuration
    sampling: SamplingChanges
    decide_weights: ClassVar = frozenset({"kind", "weights_of"})
