"""Mask-ablated training (Algorithm 1 of the paper): random classes are removed from a mask.

Shape letters: B batch, K classes with background, H height, W width, P pixels.
"""

import torch
from torch import Tensor

from segguided.config.models.diffusion import MaskAblation


def ablate_classes(
    masks_BHW: Tensor, n_classes: int, per: MaskAblation, generator: torch.Generator
) -> Tensor:
    """`masks_BHW` with each class 1…`n_classes` set to 0 with probability ½, independently.

    So all 2^n_classes combinations are equally likely. They are chosen at random for each `sample`, or once
    for the whole `batch`, as the code of the paper's authors does.
    """
    return remove_classes(masks_BHW, ~free_classes(masks_BHW, n_classes, per, generator))


def free_classes(
    masks_BHW: Tensor,
    n_classes: int,
    per: MaskAblation,
    generator: torch.Generator,
    share: float = 1.0,
) -> Tensor:
    """Which classes of each mask are removed and so free, (B, K) bool: each with probability ½, or none.

    `share` is the probability that a mask is changed at all; where `per` is none, no mask is.
    """
    device = masks_BHW.device
    if per == "none":
        return torch.zeros((len(masks_BHW), n_classes + 1), dtype=torch.bool, device=device)
    combinations = len(masks_BHW) if per == "sample" else 1
    is_kept_BK = torch.rand((combinations, n_classes + 1), generator=generator, device=device) < 0.5
    is_free_BK = ~is_kept_BK.expand(len(masks_BHW), -1)
    if share < 1:
        is_free_BK = is_free_BK & (torch.rand((combinations, 1), generator=generator, device=device) < share)
    return is_free_BK


def remove_classes(masks_BHW: Tensor, is_kept_BK: Tensor) -> Tensor:
    """`masks_BHW` with class k of mask b set to 0 unless `is_kept_BK[b, k]`."""
    classes_K = torch.arange(is_kept_BK.shape[1], device=masks_BHW.device)
    new_class_BK = is_kept_BK * classes_K  # k if kept, else 0
    masks_BP = masks_BHW.flatten(1).long()
    return new_class_BK.gather(1, masks_BP).view_as(masks_BHW).to(masks_BHW.dtype)
