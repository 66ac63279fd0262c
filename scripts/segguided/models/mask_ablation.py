"""Mask-ablated training (Algorithm 1 of the paper): random classes are removed from a mask.

Shape letters: B batch, K classes with background, H height, W width.
"""

from typing import Literal

import torch
from torch import Tensor


def ablate_classes(
    masks_BHW: Tensor, n_classes: int, draw_for: Literal["sample", "batch"], generator: torch.Generator
) -> Tensor:
    """`masks_BHW` with each class 1…`n_classes` set to 0 with probability ½, independently.

    All 2^n_classes combinations are equally likely. They are drawn anew for each `sample`, or once for the
    whole `batch`, as the code of the paper's authors does.
    """
    draws = len(masks_BHW) if draw_for == "sample" else 1
    shape, device = (draws, n_classes + 1), masks_BHW.device
    kept_BK = torch.rand(shape, generator=generator, device=device) < 0.5
    values_BK = (kept_BK * torch.arange(n_classes + 1, device=device)).expand(len(masks_BHW), -1)
    flat_BP = masks_BHW.flatten(1).long()
    return values_BK.gather(1, flat_BP).view_as(masks_BHW).to(masks_BHW.dtype)
