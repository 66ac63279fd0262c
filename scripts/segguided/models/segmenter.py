"""The auxiliary segmenter: MONAI's UNet, Dice + cross-entropy; keeps the epoch of lowest validation loss.

Shape letters: B batch, S slices, C channels (classes with background), D features, H height, W width, V
values that a mask can have.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from torch import Tensor, nn
from torch.nn import functional

from segguided.compiling import compile_network
from segguided.config.models.segmenter import Segmenter
from segguided.devices import autocast, pick_device
from segguided.models.augmentation import augment
from segguided.models.on_cpu.norms import keep_order
from segguided.models.on_cpu.order import in_fast_order
from segguided.models.partial_labels.segmenter_loss import known_dice_entropy
from segguided.models.signals import to_signal
from segguided.training.optimisation import Descent
from segguided.training.storage import load_weights, network_description


def build_segmenter(segmenter: Segmenter, n_classes: int, channels: int = 1) -> nn.Module:
    """network(image_B1HW) -> logits_BCHW for background and `n_classes` classes; images have `channels`."""
    network = UNet(
        spatial_dims=2,
        in_channels=channels,
        out_channels=n_classes + 1,
        channels=segmenter.channels,
        strides=[2] * (len(segmenter.channels) - 1),
        num_res_units=segmenter.residual_units,
    )
    keep_order(network)
    return network


def load_segmenter(weights: Path) -> nn.Module:
    """A trained segmenter from its files, on this machine's device."""
    with network_description(weights) as description:
        segmenter = Segmenter.model_validate(description["segmenter"])
        network = build_segmenter(segmenter, description["n_classes"], description.get("channels", 1))
    return load_weights(network, weights, pick_device())


class SegmenterLearner:
    """Trains `network` and keeps the epoch with the lowest loss on the batches of `validation`.

    Each call of `validation` gives its batches: images, masks and, where a patient was not annotated for a
    class, which classes. Without it, the last epoch is kept.
    """

    def __init__(
        self,
        network: nn.Module,
        segmenter: Segmenter,
        steps: int,
        validation: Callable[[], Iterator[Sequence[Tensor]]] | None,
        device: torch.device,
    ) -> None:
        self.network = network
        self.validation = validation
        self.device = device
        self.precision = segmenter.training.precision
        self.augmentation = segmenter.augmentation
        self.descent = Descent.with_adamw(network, segmenter.training, steps)
        compile_network(network, calls=steps)
        self.criterion = DiceCELoss(softmax=True)
        self.best_loss = float("inf")
        self.best_weights = _copy_weights(network)

    def update(
        self,
        images_BHW: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step on a batch of uint8 images and masks; what is not annotated has no part in the loss."""
        if self.augmentation:
            images_BHW, masks_BHW = augment(images_BHW, masks_BHW, self.augmentation, generator)
        flags = [] if not_annotated_BV is None else [not_annotated_BV]
        losses = partial(self._losses, not_annotated_NV=not_annotated_BV)
        return self.descent.descend(losses, [images_BHW, masks_BHW, *flags])

    def _losses(
        self,
        images_BHW: Tensor,
        masks_BHW: Tensor,
        not_annotated_BV: Tensor | None = None,
        *,
        not_annotated_NV: Tensor | None,
    ) -> dict[str, Tensor]:
        """Of a process's share of a batch; `not_annotated_NV` is of the whole batch."""
        return {"loss": self._loss(images_BHW, masks_BHW, not_annotated_BV, not_annotated_NV)}

    def _loss(
        self,
        images_BHW: Tensor,
        masks_BHW: Tensor,
        not_annotated_BV: Tensor | None = None,
        not_annotated_NV: Tensor | None = None,
    ) -> Tensor:
        with autocast(self.device, self.precision):
            logits_BCHW = self.network(in_fast_order(to_signal(images_BHW)))
        # One-hot: for class indices of images, torch has no deterministic CUDA kernel.
        onehot_BCHW = functional.one_hot(masks_BHW.long(), logits_BCHW.shape[1]).movedim(-1, 1)
        if not_annotated_BV is not None:
            return known_dice_entropy(
                logits_BCHW.float(), onehot_BCHW.float(), not_annotated_BV, not_annotated_NV
            )
        return self.criterion(logits_BCHW.float(), onehot_BCHW.float())

    def after_epoch(self) -> dict[str, float]:
        """The validation loss; the weights are kept if it is the lowest so far."""
        if self.validation is None:
            self.best_weights = _copy_weights(self.network)
            return {}
        self.network.eval()
        with torch.inference_mode():
            losses = [(self._loss(*batch), len(batch[0])) for batch in self.validation()]
        self.network.train()
        loss = sum(float(mean) * count for mean, count in losses) / sum(count for _, count in losses)
        if loss < self.best_loss:
            self.best_loss = loss
            self.best_weights = _copy_weights(self.network)
        return {"validation_loss": loss}

    def state_dict(self) -> dict[str, Any]:
        """Optimiser, weights, and the weights of the best epoch."""
        return {"descent": self.descent.state_dict(), "best_loss": self.best_loss, "best": self.best_weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.descent.load_state_dict(state["descent"])
        self.best_loss = state["best_loss"]
        self.best_weights = state["best"]

    def finished_network(self) -> nn.Module:
        """The network with the weights of its best epoch."""
        self.network.load_state_dict(self.best_weights)
        return self.network


def _copy_weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
