"""Masks ablated anew at each sampling step, as the code of the paper's authors does with its flag on.

With `use_ablated_segmentations` set, that code removes classes before every call of the network, while it
generates as while it trains. The paper does not say whether its MAT numbers were measured so.
Shape letters: B batch, K classes with background, C image channels, H height, W width.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from segguided.generation.sampling import random_numbers
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.mask_ablation import free_flags, remove_classes


@dataclass(frozen=True)
class StepAblatedDenoiser:
    """`denoiser`, shown a mask that lacks each class with probability ½, independently at each time step.

    What is removed is a function of (seed, mask id, time step): not of the batch, nor of other images. (The
    authors' code removes the same classes from all masks of a batch.) `names`: the mask ids of the batch.
    `free`: mask values that were removed before, at all steps.
    """

    denoiser: MaskedDenoiser
    n_classes: int
    seed: int
    names: Sequence[str]
    free: Collection[int] = ()

    def __call__(self, x_BCHW: Tensor, t_B: Tensor, mask_BHW: Tensor) -> Tensor:
        """The prediction under the ablated masks."""
        is_kept_BK = torch.stack(
            [self._is_kept(name, t) for name, t in zip(self.names, t_B.tolist(), strict=True)]
        )
        free_BK = free_flags(self.n_classes, self.free, len(self.names), mask_BHW.device)
        is_kept_BK = is_kept_BK.to(mask_BHW.device) & ~free_BK
        prediction: Tensor = self.denoiser(x_BCHW, t_B, remove_classes(mask_BHW, is_kept_BK), ~is_kept_BK)
        return prediction

    def _is_kept(self, name: str, t: int) -> Tensor:
        """Which classes the mask `name` keeps at time t, shape (K,), bool."""
        numbers_K = random_numbers(self.seed, name, "ablation", t).random(self.n_classes + 1)
        return torch.from_numpy(np.less(numbers_K, 0.5))
