"""Mask-ablated training (Algorithm 1 of the paper): random classes are removed from a mask.

Shape letters: B batch, K classes with background, H height, W width, P pixels, V values that a mask can have.
"""

from collections.abc import Collection

import torch
from torch import Tensor

from segguided.config.models.diffusion import MaskAblation


def ablate_classes(
    masks_BHW: Tensor,
    n_classes: int,
    per: MaskAblation,
    generator: torch.Generator,
    share: float = 1.0,
    not_annotated_BV: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`masks_BHW` with each class 1…`n_classes` set to 0 with probability ½, independently; and what is free.

    So all 2^n_classes combinations are equally likely. They are chosen at random for each `sample`, or once
    for the whole `batch`, as the code of the paper's authors does; `none` removes nothing.
    `share` is the probability that a mask is changed at all. The second result tells which classes are free,
    (B, K) bool: the removed ones, and those that the mask did not hold. Classes that are not annotated (None:
    all are) always count as removed, whatever is chosen for the others.
    """
    if per == "none":
        is_free_BK = free_flags(n_classes, (), len(masks_BHW), masks_BHW.device)
        return masks_BHW, with_not_annotated(is_free_BK, not_annotated_BV)
    combinations = len(masks_BHW) if per == "sample" else 1
    device = masks_BHW.device
    is_kept_BK = torch.rand((combinations, n_classes + 1), generator=generator, device=device) < 0.5
    is_free_BK = ~is_kept_BK.expand(len(masks_BHW), -1)
    if share < 1:
        is_free_BK = is_free_BK & (torch.rand((combinations, 1), generator=generator, device=device) < share)
    is_free_BK = with_not_annotated(is_free_BK, not_annotated_BV)
    return remove_classes(masks_BHW, ~is_free_BK), is_free_BK


def with_not_annotated(is_free_BK: Tensor, not_annotated_BV: Tensor | None) -> Tensor:
    """Which classes are free, with those that are not annotated; None: all are annotated."""
    if not_annotated_BV is None:
        return is_free_BK
    return is_free_BK | not_annotated_BV[:, : is_free_BK.shape[1]]


def free_flags(n_classes: int, free: Collection[int], count: int, device: torch.device) -> Tensor:
    """(count, K) bool on `device`: True in the columns `free`. Raises ValueError for what is no class."""
    unknown = sorted(set(free) - set(range(1, n_classes + 1)))
    if unknown:
        raise ValueError(f"free classes {unknown} do not exist; expected values from 1 to {n_classes}")
    is_free_K = torch.zeros(n_classes + 1, dtype=torch.bool, device=device)
    is_free_K[list(free)] = True
    return is_free_K.expand(count, -1).clone()


def remove_classes(masks_BHW: Tensor, is_kept_BK: Tensor) -> Tensor:
    """`masks_BHW` with class k of mask b set to 0 unless `is_kept_BK[b, k]`."""
    classes_K = torch.arange(is_kept_BK.shape[1], device=masks_BHW.device)
    new_class_BK = is_kept_BK * classes_K  # k if kept, else 0
    masks_BP = masks_BHW.flatten(1).long()
    return new_class_BK.gather(1, masks_BP).view_as(masks_BHW).to(masks_BHW.dtype)
