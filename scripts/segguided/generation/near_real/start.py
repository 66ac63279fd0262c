"""Images of masks that start from noised real images, as figure 4's do.

Shape letters: M masks, H height, W width.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from segguided.config.experiments import Mixing
from segguided.config.sampling import Generation
from segguided.data.slices import SliceSet
from segguided.devices import autocast, pick_device
from segguided.generation.diffusion import load_denoiser
from segguided.generation.masks.tissues import tissue_painter
from segguided.generation.partial_masks import GivenClasses
from segguided.generation.samplers.free_flags import with_free_classes
from segguided.generation.similarity import See, SimilaritySampler, batches, interpolation
from segguided.models.signals import to_images


class RealStart:
    """A trained or imported denoiser that generates images of whole masks from noised real images.

    Raises ValueError for a model of another kind.
    """

    def __init__(
        self,
        weights: Path,
        settings: Generation,
        mixing: Mixing,
        seed: int,
        sampler: SimilaritySampler = "ddim",
    ) -> None:
        network, model = load_denoiser(weights, pick_device())
        self.settings = settings
        self.seed = seed
        self.device = next(network.parameters()).device
        self.n_classes = network.n_classes
        self.tissues = network.tissues
        self.draw_tissues = tissue_painter(network, seed, settings.precision)
        denoiser = with_free_classes(network, [])
        self.interpolated = interpolation(denoiser, model, settings, mixing, seed, sampler, network.channels)

    def images(
        self,
        slices: SliceSet,
        shares: Sequence[float],
        number: int = 0,
        real_masks_MHW: np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """Images (M, H, W) uint8 of the masks of `slices` for each λ, the share of their real images.

        λ = 0: the mask alone decides. `number` counts images of a mask: each has its own noise, which is a
        function of (seed, mask id, number). `real_masks_MHW`: the masks of the real images, where `slices`
        have others; None: they are the same. Where a λ is above 0, tissues are those of the real image
        wherever the class is, too.
        """
        given = GivenClasses(range(1, self.n_classes + 1), self.n_classes)
        see = self._as_in(slices, real_masks_MHW) if any(shares) else self._drawn
        images: list[list[np.ndarray]] = [[] for _ in shares]
        for batch in batches(slices, self.settings.batch_size, given, self.seed, self.device, number, see):
            with torch.inference_mode(), autocast(self.device, self.settings.precision):
                for of_share, x0_BCHW in zip(images, self.interpolated(batch, shares), strict=True):
                    of_share.append(to_images(x0_BCHW).cpu().numpy())
        return [np.concatenate(of_share) for of_share in images]

    def _drawn(self, masks_BHW: Tensor, names: Sequence[str], _: np.ndarray) -> Tensor:
        """The masks with tissues that are drawn, where the network has any."""
        return self.draw_tissues(masks_BHW, names)

    def _as_in(self, slices: SliceSet, real_masks_MHW: np.ndarray | None) -> See:
        """The tissues of the real images; drawn where the mask has another class than theirs."""
        if self.tissues is None:
            return self._drawn
        real_MHW = slices.masks if real_masks_MHW is None else real_masks_MHW
        tissues_MHW = self.tissues.division.of(slices.images, real_MHW)

        def see(masks_BHW: Tensor, names: Sequence[str], rows: np.ndarray) -> Tensor:
            real_BHW, tissues_BHW = (
                torch.from_numpy(masks_MHW[rows]).to(self.device) for masks_MHW in (real_MHW, tissues_MHW)
            )
            return torch.where(masks_BHW == real_BHW, tissues_BHW, self._drawn(masks_BHW, names, rows))

        return see


def with_masks(slices: SliceSet, masks_MHW: np.ndarray) -> SliceSet:
    """The same slices with other masks, in their order."""
    parts = np.split(masks_MHW, np.cumsum([len(stack.images_SHW) for stack in slices.stacks])[:-1])
    stacks = zip(slices.stacks, parts, strict=True)
    return SliceSet([replace(stack, masks_SHW=part_SHW) for stack, part_SHW in stacks])
