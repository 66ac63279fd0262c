"""Classifier-free guidance over masks (Ho & Salimans 2022): away from what an image without a mask would be.

Shape letters: B batch, C image channels, H height, W width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segguided.models.diffusion import Denoiser


@dataclass(frozen=True)
class GuidedDenoiser:
    """p(m) + weight · (p(m) − p(∅)): predictions with the mask m, and with all classes left to the network.

    `of_mask` is the denoiser of the mask, `of_none` the same network where all classes are free.
    """

    of_mask: Denoiser
    of_none: Denoiser
    weight: float

    def __call__(self, x_BCHW: Tensor, t_B: Tensor, mask_BHW: Tensor) -> Tensor:
        """The guided prediction, by two calls of the network."""
        with_mask_BCHW = self.of_mask(x_BCHW, t_B, mask_BHW)
        without_BCHW = self.of_none(x_BCHW, t_B, torch.zeros_like(mask_BHW))
        return with_mask_BCHW + self.weight * (with_mask_BCHW - without_BCHW)
