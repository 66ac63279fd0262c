"""Losses on the maps of a perceptual network: how far they are from the real image's, and their energy score.

Shape letters: B batch, N predictions of an image, C image channels, H height, W width. Maps have B first, or
B and N, and then the network's own axes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from segguided.config.models.denoiser_losses import DenoiserLosses
from segguided.config.models.training import Precision
from segguided.devices import autocast
from segguided.models.losses.energy_score import score
from segguided.models.losses.perceptual import PerceptualLoss


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
        wanted = "no" if settings.perceptual_network is None else "a"
        given = "no" if loss is None else "a"
        if wanted != given:
            raise ValueError(f"the losses read {wanted} perceptual network's maps, but {given} one was given")
        self.loss = loss
        self.distance = settings.perceptual > 0
        self.score = settings.energy_score is not None and settings.energy_score.perceptual > 0
        self.device = device
        self.precision = precision

    def of_real(self, images_BCHW: Tensor) -> list[Tensor]:
        """The maps of real images, without a gradient."""
        with torch.no_grad():
            return self._maps(images_BCHW)

    def terms(
        self, predicted_BNCHW: Tensor, real_maps: Sequence[Tensor], scales: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """The scalar terms, without weights; `scales` of the real maps: see energy_score.py."""
        if self.loss is None:
            return {}
        maps = [
            of_all.unflatten(0, predicted_BNCHW.shape[:2])
            for of_all in self._maps(predicted_BNCHW.flatten(0, 1))
        ]
        terms = {}
        if self.distance:
            targets = [real[:, None].expand_as(each) for real, each in zip(real_maps, maps, strict=True)]
            terms["perceptual"] = self.loss.distance(maps, targets)
        if self.score:
            first, second = ([each[:, number] for each in maps] for number in (0, 1))
            terms["energy_score_of_maps"] = score(real_maps, first, second, scales)
        return terms

    def _maps(self, images_BCHW: Tensor) -> list[Tensor]:
        if self.loss is None:
            return []
        with autocast(self.device, self.precision):
            maps = self.loss.maps(images_BCHW)
        # VGG-19 sees each channel of an image as an image of its own.
        return [of_all.unflatten(0, (len(images_BCHW), -1)) for of_all in maps]
