"""The settings of a diffusion model that trains and samples in milliseconds."""

from segguided.config.models.diffusion import DiffusionModel, Unet
from segguided.config.models.training import Training

MODEL = DiffusionModel(
    kind="diffusion",
    conditioning="onehot",
    prediction_type="sample",
    unet=Unet(channels=(8, 16), norm_groups=4, layers_per_block=1),
    training=Training(steps=1, batch_size=1, learning_rate=1),
)
