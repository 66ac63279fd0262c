"""The toy network `blur` and how it learns: the mean squared error to the real image.

Shape letters: B batch, H height, W width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from segguided.config.models.blur import BlurModel
from segguided.models.masks import MaskEncoder
from segguided.models.signals import to_signal
from segguided.training.optimisation import Descent, DescentLearner


class BlurNetwork(nn.Module):
    """network(mask_BHW) -> image_B1HW in [-1, 1]."""

    def __init__(self, model: BlurModel, n_classes: int) -> None:
        super().__init__()
        self.encoder = MaskEncoder("onehot", n_classes)
        self.convolution = nn.Conv2d(self.encoder.channels, 1, model.width, padding="same")

    def forward(self, mask_BHW: Tensor) -> Tensor:
        """The image of each mask."""
        return self.convolution(self.encoder(mask_BHW)).tanh()


class BlurLearner(DescentLearner):
    """Trains a BlurNetwork."""

    def __init__(self, network: BlurNetwork, model: BlurModel, steps: int) -> None:
        self.network = network
        self.descent = Descent.with_adamw(network, model.training, steps)

    def update(self, images_BHW: Tensor, masks_BHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """One step on a batch of uint8 images and masks."""
        return self.descent.descend(self._losses, [to_signal(images_BHW), masks_BHW])

    def _losses(self, x0_B1HW: Tensor, masks_BHW: Tensor) -> dict[str, Tensor]:
        return {"loss": functional.mse_loss(self.network(masks_BHW), x0_B1HW)}
