"""The control: a diffusion model's network without noise, which learns the mean image of a mask.

It shows what measures say of a model that generates nothing: the squared error is smallest at E[x0 | mask].

Shape letters: B batch, C image channels, H height, W width.
"""

import torch
from torch import Tensor
from torch.nn import functional

from segguided.config.models.regression import RegressionModel
from segguided.devices import autocast
from segguided.models.augmentation import move
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.signals import to_signal
from segguided.training.optimisation import Descent, DescentLearner


def build_regression(
    model: RegressionModel, n_classes: int, image_size: int, channels: int = 1
) -> MaskedDenoiser:
    """The network that the settings describe, with its first weights."""
    return MaskedDenoiser(model, n_classes, image_size, channels=channels)


def predict_image(network: MaskedDenoiser, masks_BHW: Tensor) -> Tensor:
    """x0 (B, C, H, W) from one call: the noisy image is all 0, and t is 0."""
    n_masks, height, width = masks_BHW.shape
    zeros_BCHW = torch.zeros((n_masks, network.channels, height, width), device=masks_BHW.device)
    t_B = torch.zeros(n_masks, dtype=torch.long, device=masks_BHW.device)
    x0_BCHW: Tensor = network(zeros_BCHW, t_B, masks_BHW)
    return x0_BCHW.float()


class RegressionLearner(DescentLearner):
    """Trains a MaskedDenoiser with the squared error of x0, without noise."""

    def __init__(
        self, network: MaskedDenoiser, model: RegressionModel, steps: int, device: torch.device
    ) -> None:
        self.network = network
        self.device = device
        self.precision = model.training.precision
        self.augmentation = model.augmentation
        self.micro_batch_size = model.micro_batch_size
        self.descent = Descent.with_adamw(network, model.training, steps)

    def update(
        self,
        images_BHW: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step on a batch of uint8 images and masks."""
        images_BHW, masks_BHW = move(images_BHW, masks_BHW, self.augmentation, generator)
        return self.descent.descend(self._losses, [to_signal(images_BHW), masks_BHW], self.micro_batch_size)

    def _losses(self, x0_BCHW: Tensor, masks_BHW: Tensor) -> dict[str, Tensor]:
        with autocast(self.device, self.precision):
            predicted_BCHW = predict_image(self.network, masks_BHW)
        return {"loss": functional.mse_loss(predicted_BCHW, x0_BCHW)}
