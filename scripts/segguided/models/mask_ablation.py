"""Mask-ablated training (Algorithm 1 of the paper): random classes are removed from a mask.

Shape letters: B batch, K classes with background, H height, W width, P pixels, V values that a mask can have.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from segguided.config.models.mask_ablation import EVEN, MaskAblation, MaskAblationSettings


def ablate_masks(
    masks_BHW: Tensor,
    n_classes: int,
    settings: MaskAblationSettings,
    generator: torch.Generator,
    not_annotated_BV: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The masks as a training with these settings sees them, and what is free; see `ablate_classes`.

    It is called once for a whole batch, so the masks are the same however the batch is split afterwards.
    """
    return ablate_classes(
        masks_BHW,
        n_classes,
        settings.mask_ablation,
        generator,
        settings.ablated_share,
        settings.ablation_probability,
        not_annotated_BV,
    )


def ablate_classes(
    masks_BHW: Tensor,
    n_classes: int,
    per: MaskAblation,
    generator: torch.Generator,
    share: float = 1.0,
    probability: float | Mapping[str, float] = EVEN,
    not_annotated_BV: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`masks_BHW` with each class 1…`n_classes` set to 0 at random, independently; and what is free.

    `probability`: that a class is removed, one number or by mask value, as text; of a value that it does not
    name ½. With ½ all 2^n_classes combinations are equally likely. They are chosen at random for each
    `sample`, or once for the whole `batch`, as the code of the paper's authors does; `none` removes nothing.
    `share` is the probability that a mask is changed at all. The second result tells which classes are free,
    (B, K) bool: the removed ones, and those that the mask did not hold. Classes that are not annotated (None:
    all are) always count as removed, whatever is chosen for the others. Raises ValueError where `probability`
    names what is no class.
    """
    if per == "none":
        is_free_BK = free_flags(n_classes, (), len(masks_BHW), masks_BHW.device)
        return masks_BHW, with_not_annotated(is_free_BK, not_annotated_BV)
    combinations = len(masks_BHW) if per == "sample" else 1
    device = masks_BHW.device
    number_BK = torch.rand((combinations, n_classes + 1), generator=generator, device=device)
    is_kept_BK = number_BK < _kept_share(probability, n_classes, device)
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


def _kept_share(
    probability: float | Mapping[str, float], n_classes: int, device: torch.device
) -> float | Tensor:
    """The probability that a class is kept, one number or (K,): a number from [0, 1) below it keeps it."""
    if not isinstance(probability, Mapping):
        return 1 - probability
    unknown = sorted(set(probability) - {str(value) for value in range(1, n_classes + 1)})
    if unknown:
        raise ValueError(
            f"ablation_probability names the mask values {', '.join(unknown)}; expected values from 1 to "
            f"{n_classes}"
        )
    kept_K = torch.tensor([1 - probability.get(str(value), EVEN) for value in range(n_classes + 1)])
    return kept_K.to(device, non_blocking=True)  # else each step would wait for the GPU


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
