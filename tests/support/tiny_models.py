"""The settings of diffusion models that train and sample in milliseconds."""

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.training import Training
from segguided.config.models.unet import Unet

MODEL = DiffusionModel(
    kind="diffusion",
    conditioning="onehot",
    prediction_type="sample",
    unet=Unet(channels=(8, 16), norm_groups=4, layers_per_block=1),
    training=Training(steps=1, batch_size=1, learning_rate=1),
)
TINY = Unet(channels=(8, 8), norm_groups=4, layers_per_block=1)


def diffusion_model(prediction_type="epsilon", conditioning="none", precision="auto"):
    """A model with the network TINY."""
    training = Training(steps=1, batch_size=2, learning_rate=1e-3, precision=precision)
    return DiffusionModel(
        kind="diffusion",
        conditioning=conditioning,
        prediction_type=prediction_type,
        unet=TINY,
        training=training,
    )
