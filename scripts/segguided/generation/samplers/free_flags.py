"""A denoiser that is told which classes its masks leave to it.

Shape letters: B batch, K mask values, C image channels (1), H height, W width.
"""

from collections.abc import Collection

import torch
from torch import Tensor

from segguided.models.denoiser import MaskedDenoiser
from segguided.models.diffusion import Denoiser


def with_free_classes(network: MaskedDenoiser, free: Collection[int]) -> Denoiser:
    """`network`, for masks from which the values `free` were removed."""

    def denoiser(x_BCHW: Tensor, t_B: Tensor, mask_BHW: Tensor) -> Tensor:
        is_free_K = torch.zeros(network.encoder.n_classes + 1, dtype=torch.bool, device=mask_BHW.device)
        is_free_K[list(free)] = True
        prediction: Tensor = network(x_BCHW, t_B, mask_BHW, is_free_K.expand(len(mask_BHW), -1))
        return prediction

    return denoiser
