"""A plain convolutional encoder, trained on masks: the network of perceptual losses without VGG-19.

Shape letters: B batch, C feature channels, K classes with background, H and W of the image, h and w of a map.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from segguided.config.models.perceptual import PlainEncoder
from segguided.devices import autocast, pick_device
from segguided.models.on_cpu.order import in_fast_order
from segguided.models.signals import to_signal
from segguided.training.optimisation import Descent, DescentLearner
from segguided.training.storage import load_weights, network_description


class Encoder(nn.Module):
    """encoder(image_B1HW) -> the map of each level, finest first; images may have more `channels`."""

    def __init__(self, settings: PlainEncoder, n_classes: int, channels: int = 1) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        channels_in = channels
        for width in settings.channels:
            layers: list[nn.Module] = [nn.MaxPool2d(2)] if len(self.levels) else []
            for _ in range(settings.convolutions):
                layers += [nn.Conv2d(channels_in, width, 3, padding=1), nn.ReLU()]
                channels_in = width
            self.levels.append(nn.Sequential(*layers))
        # Used in training alone: they read the shares of the classes off the maps.
        self.heads = nn.ModuleList(nn.Conv2d(width, n_classes + 1, 1) for width in settings.channels)
        for convolution in self.levels.modules():
            if isinstance(convolution, nn.Conv2d):
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
                nn.init.zeros_(convolution.bias)

    def forward(self, images_B1HW: Tensor) -> list[Tensor]:
        """The maps of images in [-1, 1]."""
        maps = []
        x_BCHW = in_fast_order(images_B1HW)
        for level in self.levels:
            x_BCHW = level(x_BCHW)
            maps.append(x_BCHW)
        return maps


class EncoderLearner(DescentLearner):
    """Trains an encoder to tell, at each position of each level, the shares of the classes below it."""

    def __init__(self, network: Encoder, settings: PlainEncoder, steps: int, device: torch.device) -> None:
        self.network = network
        self.device = device
        self.precision = settings.training.precision
        self.descent = Descent.with_adamw(network, settings.training, steps)

    def update(
        self,
        images_BHW: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step on a batch of uint8 images and masks."""
        return self.descent.descend(self._losses, [images_BHW, masks_BHW])

    def _losses(self, images_BHW: Tensor, masks_BHW: Tensor) -> dict[str, Tensor]:
        with autocast(self.device, self.precision):
            maps = self.network(to_signal(images_BHW))
            logits = [head(x_BCHW) for head, x_BCHW in zip(self.network.heads, maps, strict=True)]
        return {"loss": shares_loss(logits, masks_BHW)}


def shares_loss(logits: list[Tensor], masks_BHW: Tensor) -> Tensor:
    """Mean over the levels of the cross-entropy between predicted and true shares of the classes.

    `logits` are maps (B, K, h, w): the first is as large as the masks, each further one has half the side.
    """
    share_BKhw = functional.one_hot(masks_BHW.long(), logits[0].shape[1]).movedim(-1, 1).float()
    losses = []
    for level, logits_BKhw in enumerate(logits):
        if level:
            share_BKhw = functional.avg_pool2d(share_BKhw, 2)
        losses.append(functional.cross_entropy(logits_BKhw.float(), share_BKhw))
    return torch.stack(losses).mean()


def load_encoder(weights: Path) -> nn.Module:
    """A trained encoder from its files, on this machine's device."""
    with network_description(weights) as description:
        settings = PlainEncoder.model_validate(description["encoder"])
        network = Encoder(settings, description["n_classes"], description.get("channels", 1))
    return load_weights(network, weights, pick_device())
