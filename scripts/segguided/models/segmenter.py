"""The auxiliary segmenter: MONAI's UNet, Dice + cross-entropy, the epoch of lowest validation loss kept.

Shape letters: B batch, S slices, C channels (classes with background), D features, H height, W width.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from torch import Tensor, nn

from segguided.config.models.segmenter import Segmenter
from segguided.devices import autocast, pick_device
from segguided.models.augmentation import augment
from segguided.models.signals import to_signal
from segguided.training.optimisation import Descent
from segguided.training.storage import load_weights, network_description


def build_segmenter(segmenter: Segmenter, n_classes: int) -> nn.Module:
    """network(image_B1HW) -> logits_BCHW for background and `n_classes` classes."""
    return UNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=n_classes + 1,
        channels=segmenter.channels,
        strides=[2] * (len(segmenter.channels) - 1),
        num_res_units=segmenter.residual_units,
    )


def load_segmenter(weights: Path) -> nn.Module:
    """A trained segmenter from its files, on this machine's device."""
    with network_description(weights) as description:
        segmenter = Segmenter.model_validate(description["segmenter"])
        network = build_segmenter(segmenter, description["n_classes"])
    return load_weights(network, weights, pick_device())


class SegmenterLearner:
    """Trains `network`; `validation` gives the (images, masks) batches that choose the epoch to keep.

    Without `validation` the last epoch is kept.
    """

    def __init__(
        self,
        network: nn.Module,
        segmenter: Segmenter,
        steps: int,
        validation: Callable[[], Iterator[tuple[Tensor, Tensor]]] | None,
        device: torch.device,
    ) -> None:
        self.network, self.validation, self.device = network, validation, device
        self.precision, self.augmentation = segmenter.training.precision, segmenter.augmentation
        self.descent = Descent.with_adamw(network, segmenter.training, steps)
        self.criterion = DiceCELoss(to_onehot_y=True, softmax=True)
        self.best_loss, self.best = float("inf"), _copy(network)

    def update(self, images_BHW: Tensor, masks_BHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """One step on a batch of uint8 images and masks."""
        if self.augmentation:
            images_BHW, masks_BHW = augment(images_BHW, masks_BHW, self.augmentation, generator)

        def losses_of(images: Tensor, masks: Tensor) -> dict[str, Tensor]:
            return {"loss": self._loss(images, masks)}

        return self.descent.descend(losses_of, [images_BHW, masks_BHW])

    def _loss(self, images_BHW: Tensor, masks_BHW: Tensor) -> Tensor:
        with autocast(self.device, self.precision):
            logits_BCHW = self.network(to_signal(images_BHW))
        return self.criterion(logits_BCHW.float(), masks_BHW[:, None])

    def after_epoch(self) -> dict[str, float]:
        """The validation loss; the weights of its minimum are kept."""
        if self.validation is None:
            self.best = _copy(self.network)
            return {}
        self.network.eval()
        with torch.inference_mode():
            losses = [(self._loss(images, masks), len(images)) for images, masks in self.validation()]
        self.network.train()
        loss = sum(float(mean) * count for mean, count in losses) / sum(count for _, count in losses)
        if loss < self.best_loss:
            self.best_loss, self.best = loss, _copy(self.network)
        return {"validation_loss": loss}

    def state_dict(self) -> dict[str, Any]:
        """Optimiser, weights, and the best epoch's weights."""
        return {"descent": self.descent.state_dict(), "best_loss": self.best_loss, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.descent.load_state_dict(state["descent"])
        self.best_loss, self.best = state["best_loss"], state["best"]

    def finished(self) -> nn.Module:
        """The network with the weights of its best epoch."""
        self.network.load_state_dict(self.best)
        return self.network


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
