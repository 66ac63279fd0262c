"""Mask-ablated training (Algorithm 1 of the paper): random classes are removed from a mask.

Shape letters: B batch, K classes with background, H height, W width, P pixels.
"""

from typing import Literal

import torch
from torch import Tensor


def ablate_classes(
    masks_BHW: Tensor, n_classes: int, per: Literal["sample", "batch"], generator: torch.Generator
) -> Tensor:
    """`masks_BHW` with each class 1…`n_classes` set to 0 with probability ½, independently.

    So all 2^n_classes combinations are equally likely. They are chosen at random for each `sample`, or once
    for the whole `batch`, as the code of the paper's authors does.
    """
    device = masks_BHW.device
    combinations = len(masks_BHW) if per == "sample" else 1
    is_kept_BK = torch.rand((combinations, n_classes + 1), generator=generator, device=device) < 0.5
    return remove_classes(masks_BHW, is_kept_BK.expand(len(masks_BHW), -1))


def remove_classes(masks_BHW: Tensor, is_kept_BK: Tensor) -> Tensor:
    """`masks_BHW` with class k of mask b set to 0 unless `is_kept_BK[b, k]`."""
    classes_K = torch.arange(is_kept_BK.shape[1], device=masks_BHW.device)
    new_class_BK = is_kept_BK * classes_K  # k if kept, else 0
    masks_BP = masks_BHW.flatten(1).long()
    return new_class_BK.gather(1, masks_BP).view_as(masks_BHW).to(masks_BHW.dtype)
