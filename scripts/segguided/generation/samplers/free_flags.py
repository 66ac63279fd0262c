"""A denoiser that is told which classes its masks leave to it.

Shape letters: B batch, K mask values, C image channels, H height, W width.
"""

from collections.abc import Collection

from torch import Tensor

from segguided.models.denoiser import MaskedDenoiser
from segguided.models.diffusion import Denoiser
from segguided.models.mask_ablation import free_flags


def with_free_classes(network: MaskedDenoiser, free: Collection[int]) -> Denoiser:
    """`network`, for masks from which the values `free` were removed.

    Raises ValueError for a value that is no class.
    """
    n_classes = network.encoder.n_classes
    is_free_1K = free_flags(n_classes, free, 1, next(network.parameters()).device)

    def denoiser(x_BCHW: Tensor, t_B: Tensor, mask_BHW: Tensor) -> Tensor:
        prediction: Tensor = network(x_BCHW, t_B, mask_BHW, is_free_1K.expand(len(mask_BHW), -1))
        return prediction

    return denoiser
