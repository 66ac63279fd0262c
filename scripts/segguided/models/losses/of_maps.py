"""Losses on the maps of a perceptual network: how far they are from the real image's, and their energy score.

Shape letters: B batch, P images of a part of it, N predictions of an image, C image channels, H height,
W width. Maps have the images first, or images and predictions, and then the network's own axes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segguided.config.models.denoiser_losses import DenoiserLosses
from segguided.config.models.training import Precision
from segguided.devices import autocast
from segguided.models.losses.energy_score import scales_of, score
from segguided.models.losses.perceptual import PerceptualLoss
from segguided.training import ranks

AT_ONCE = 8  # real images: their maps need little memory beyond themselves


@dataclass(frozen=True)
class RealMaps:
    """The maps of a process's share of the real images of a step; `first` is its first image in the batch."""

    maps: list[Tensor]
    first: int
    scales: list[Tensor]  # of the whole batch's maps; none where no score reads them

    def of(self, places_P: Tensor) -> list[Tensor]:
        """The maps of some of these images, by their places in the batch."""
        if not self.maps or len(places_P) == len(self.maps[0]):
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

    @property
    def _scored(self) -> bool:
        energy = self.settings.energy_score
        return energy is not None and energy.perceptual > 0

    def of_real(self, images_BCHW: Tensor) -> RealMaps:
        """The maps of this process's share of real images, without a gradient."""
        places_B = torch.arange(len(images_BCHW))
        with torch.no_grad():
            parts = [self._maps(part) for part in ranks.own_share(images_BCHW).split(AT_ONCE)]
        maps = [torch.cat(of_parts) for of_parts in zip(*parts, strict=True)]
        scales = scales_of(maps) if self._scored else []
        return RealMaps(maps, int(ranks.own_share(places_B)[0]), scales)

    def terms(self, predicted_PNCHW: Tensor, real: RealMaps, places_P: Tensor) -> dict[str, Tensor]:
        """The scalar terms, without weights; `places_P`: where in the batch their real images are."""
        if self.loss is None:
            return {}
        real_maps = real.of(places_P)
        shape = predicted_PNCHW.shape[:2]
        maps = [of_all.unflatten(0, shape) for of_all in self._maps(predicted_PNCHW.flatten(0, 1))]
        terms = {}
        if self.settings.perceptual:
            targets = [target[:, None].expand_as(each) for target, each in zip(real_maps, maps, strict=True)]
            terms["perceptual"] = self.loss.distance(maps, targets)
        if self._scored:
            first, second = zip(*(each.unbind(1) for each in maps), strict=True)
            terms["energy_score_of_maps"] = score(real_maps, first, second, real.scales)
        return terms

    def _maps(self, images_BCHW: Tensor) -> list[Tensor]:
        if self.loss is None:
            return []
        with autocast(self.device, self.precision):
            maps = self.loss.maps(images_BCHW)
        # VGG-19 sees each channel of an image as an image of its own.
        return [of_all.unflatten(0, (len(images_BCHW), -1)) for of_all in maps]
