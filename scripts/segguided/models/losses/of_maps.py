"""Losses on the maps of a perceptual network: their distance to the real image's, and the classes in them.

Shape letters: B batch, P images of a part of it, N predictions of an image, C image channels, H height,
W width. Maps have the images first, or images and predictions, and then the network's own axes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segguided.config.models.denoiser_losses import DenoiserLosses
from segguided.config.models.training import Precision
from segguided.devices import autocast
from segguided.models.losses.perceptual import PerceptualLoss
from segguided.models.plain_encoder import Encoder, shares_loss
from segguided.training import ranks

AT_ONCE = 8  # real images: their maps need little memory beyond themselves


@dataclass(frozen=True)
class RealMaps:
    """The maps of a process's share of the real images of a step; `first` is its first image in the batch."""

    maps: list[Tensor]
    first: int

    def of(self, places_P: Tensor) -> list[Tensor]:
        """The maps of some of these images, by their places in the batch."""
        if len(places_P) == len(self.maps[0]):
            return self.maps
        return [of_share[places_P - self.first] for of_share in self.maps]


class MapLosses:
    """The terms of a loss that read the maps of `loss`'s network; none, and no maps, without it.

    Raises ValueError where `settings` want such a network and there is none, or the other way round.
    """

    def __init__(
        self,
        loss: PerceptualLoss | None,
        settings: DenoiserLosses,
        device: torch.device,
        precision: Precision,
    ) -> None:
        if (loss is None) != (settings.perceptual_network is None):
            raise ValueError(
                "the losses have no perceptual_network, but one was given"
                if loss
                else "the losses read the maps of a perceptual_network, but none was given"
            )
        self.loss = loss
        self.settings = settings
        self.device = device
        self.precision = precision

    def of_real(self, images_BCHW: Tensor) -> RealMaps | None:
        """The maps of this process's share of real images, without a gradient; None: no term reads them."""
        if self.loss is None or not self.settings.perceptual:
            return None
        places_B = torch.arange(len(images_BCHW))
        with torch.no_grad(), autocast(self.device, self.precision):
            parts = [_maps(self.loss, part) for part in ranks.own_share(images_BCHW).split(AT_ONCE)]
        maps = [torch.cat(of_parts) for of_parts in zip(*parts, strict=True)]
        return RealMaps(maps, int(ranks.own_share(places_B)[0]))

    def terms(
        self, predicted_PNCHW: Tensor, masks_PHW: Tensor, real: RealMaps | None, places_P: Tensor
    ) -> dict[str, Tensor]:
        """The scalar terms, without weights; `places_P`: where in the batch their real images are.

        The classes are read from the first prediction of each image alone: in expectation that is the same,
        at half of the cost.
        """
        terms: dict[str, Tensor] = {}
        if self.loss is None:
            return terms
        with autocast(self.device, self.precision):
            if real:
                terms["perceptual"] = _distance(self.loss, predicted_PNCHW, real.of(places_P))
            if self.settings.class_shares:
                terms["class_shares"] = _class_loss(self.loss, predicted_PNCHW[:, 0], masks_PHW)
        return terms


def _distance(loss: PerceptualLoss, predicted_PNCHW: Tensor, real_maps: list[Tensor]) -> Tensor:
    """The mean distance of each prediction to its real image."""
    shape = predicted_PNCHW.shape[:2]
    maps = [of_all.unflatten(0, shape) for of_all in _maps(loss, predicted_PNCHW.flatten(0, 1))]
    targets = [target[:, None].expand_as(each) for target, each in zip(real_maps, maps, strict=True)]
    return loss.distance(maps, targets)


def _class_loss(loss: PerceptualLoss, images_PCHW: Tensor, masks_PHW: Tensor) -> Tensor:
    """The cross-entropy of the classes' shares that the heads of an encoder read in images, with masks."""
    encoder = loss.features
    assert isinstance(encoder, Encoder)
    maps = encoder(images_PCHW)
    logits = [head(x_PCHW) for head, x_PCHW in zip(encoder.heads, maps, strict=True)]
    return shares_loss(logits, masks_PHW)


def _maps(loss: PerceptualLoss, images_BCHW: Tensor) -> list[Tensor]:
    # VGG-19 sees each channel of an image as an image of its own.
    return [of_all.unflatten(0, (len(images_BCHW), -1)) for of_all in loss.maps(images_BCHW)]
