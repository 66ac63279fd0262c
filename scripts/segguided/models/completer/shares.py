"""Masks as shares of classes in cells of pixels: what the mask completer reads, and its noise.

Shape letters: B batch, K classes with background, H and W of the mask, h and w of a map of cells.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from segguided.config.models.completer import CompletionStage, MaskAugmentation
from segguided.models.partial_labels.known import known_log_probabilities

KNOTS = 6  # a side, of the random deformation
SMOOTHING = 0.75  # standard deviation of the Gaussian that enlarges noise, in squares of a number each
COARSE_NOISE = 0.1  # standard deviation of the noise on √shares of the stage before, in training


def shares_of(masks_BHW: Tensor, n_classes: int) -> Tensor:
    """One-hot masks (B, K, H, W) in float32, background first."""
    return functional.one_hot(masks_BHW.long(), n_classes + 1).movedim(-1, 1).float()


def in_cells(shares_BKHW: Tensor, cell: int) -> Tensor:
    """The mean shares in cells of `cell` pixels a side."""
    return functional.avg_pool2d(shares_BKHW, cell) if cell > 1 else shares_BKHW


def without(shares_BKhw: Tensor, free_BK: Tensor) -> Tensor:
    """The shares with each free class counted as background; so channel 0 is all that is not kept."""
    kept_BKhw = shares_BKhw * ~free_BK[:, :, None, None]
    open_B1hw = 1 - kept_BKhw[:, 1:].sum(1, keepdim=True)
    return torch.cat([open_B1hw, kept_BKhw[:, 1:]], 1).clamp(0, 1)


def random_free(count: int, n_classes: int, generator: torch.Generator) -> Tensor:
    """Which classes are free, (count, K) bool: each with probability ½; where none would be, all are."""
    free_BK = torch.rand((count, n_classes + 1), generator=generator, device=generator.device) < 0.5
    free_BK[:, 0] = False
    has_none_B = ~free_BK.any(1)
    free_BK[:, 1:] |= has_none_B[:, None]
    return free_BK


def complete_shares(logits_BKhw: Tensor, kept_BKhw: Tensor) -> Tensor:
    """All shares: those kept, and what is open divided among the classes by the softmax of the logits."""
    shares_BKhw = logits_BKhw.softmax(1) * kept_BKhw[:, :1]
    return torch.cat([shares_BKhw[:, :1], shares_BKhw[:, 1:] + kept_BKhw[:, 1:]], 1)


def open_entropy(
    logits_BKhw: Tensor,
    shares_BKhw: Tensor,
    kept_BKhw: Tensor,
    not_annotated_BK: Tensor | None = None,
) -> Tensor:
    """The cross-entropy of the classes of all that is open, a scalar: its mean over the open area.

    A class that is not annotated takes no part in it, see `partial_labels.known`.
    """
    open_BKhw = torch.cat([shares_BKhw[:, :1], shares_BKhw[:, 1:] - kept_BKhw[:, 1:]], 1)
    if not_annotated_BK is None:
        log_p_BKhw = logits_BKhw.log_softmax(1)
    else:
        log_p_BKhw = known_log_probabilities(logits_BKhw, not_annotated_BK)
    total = -(open_BKhw * log_p_BKhw).sum()
    return total / kept_BKhw[:, 0].sum().clamp(min=1)


def alpha_bar_at(time: float, noise_scale: float) -> float:
    """`alpha_bar` of one time."""
    angle = time * math.pi / 2
    signal = (noise_scale * math.cos(angle)) ** 2
    return signal / (signal + math.sin(angle) ** 2)


def alpha_bar(time_B: Tensor, noise_scale: float) -> Tensor:
    """ᾱ at times from 0 (no noise) to 1 (noise alone): √SNR = noise_scale · cot(π·time/2).

    The cosine schedule (Nichol & Dhariwal 2021), shifted (Hoogeboom et al. 2023).
    """
    angle_B = time_B.double() * math.pi / 2
    signal_B = (noise_scale * angle_B.cos()) ** 2
    return (signal_B / (signal_B + angle_B.sin() ** 2)).float()


def enlarged_noise(eps_BKuv: Tensor, side: int) -> Tensor:
    """Noise on `side` × `side` cells, smoothly enlarged; the standard deviation of each cell stays 1."""
    before = eps_BKuv.shape[-1]
    if before == side:
        return eps_BKuv
    places = (torch.arange(side, device=eps_BKuv.device) + 0.5) * before / side - 0.5
    away_hu = places[:, None] - torch.arange(before, device=eps_BKuv.device)
    weights_hu = functional.normalize((-0.5 * (away_hu / SMOOTHING) ** 2).exp(), dim=1)
    return weights_hu @ eps_BKuv @ weights_hu.T


def random_noise(stage: CompletionStage, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Noise for a stage's shares of this shape (B, K, h, w)."""
    *maps, side, _ = shape
    size = [*maps, side // stage.noise_patch, side // stage.noise_patch]
    return enlarged_noise(torch.randn(size, generator=generator, device=generator.device), side)


def noisy(shares_BKhw: Tensor, eps_BKhw: Tensor, alpha_bar_B: Tensor) -> Tensor:
    """x_t = √ᾱ·x0 + √(1−ᾱ)·eps, where x0 are the shares, scaled to [-1, 1]."""
    alpha_bar_B111 = alpha_bar_B.view(-1, 1, 1, 1)
    return alpha_bar_B111.sqrt() * (2 * shares_BKhw - 1) + (1 - alpha_bar_B111).sqrt() * eps_BKhw


def changed(
    shares_BKhw: Tensor,
    augmentation: MaskAugmentation | None,
    mirror: bool,
    generator: torch.Generator,
    mode: str = "bilinear",
) -> Tensor:
    """The shares, each map turned, scaled, shifted and deformed at random; `mirror`: half of them mirrored.

    What comes from outside is background. With the mode "nearest" one-hot masks stay one-hot.
    """
    if mirror:
        is_mirrored_B = torch.rand(len(shares_BKhw), generator=generator, device=generator.device) < 0.5
        shares_BKhw = torch.where(is_mirrored_B.view(-1, 1, 1, 1), shares_BKhw.flip(-1), shares_BKhw)
    if augmentation is None:
        return shares_BKhw
    grid_BhW2 = _grid(shares_BKhw, augmentation, generator)
    moved_BKhw = functional.grid_sample(shares_BKhw, grid_BhW2, mode=mode, align_corners=False)
    background_B1hw = 1 - moved_BKhw[:, 1:].sum(1, keepdim=True)
    return torch.cat([background_B1hw, moved_BKhw[:, 1:]], 1).clamp(0, 1)


def _grid(shares_BKhw: Tensor, augmentation: MaskAugmentation, generator: torch.Generator) -> Tensor:
    """Where each output cell is read, in affine_grid's coordinates (-1 to 1), shape (B, h, w, 2)."""
    count = len(shares_BKhw)
    device = generator.device

    def random_within(width: float) -> Tensor:
        """Random numbers, uniform in ±width, shape (B,)."""
        return (2 * torch.rand(count, generator=generator, device=device) - 1) * width

    angle_B = random_within(math.radians(augmentation.rotation_deg))
    width_B = 1 + random_within(augmentation.scale)
    height_B = 1 + random_within(augmentation.scale)
    right_B = 2 * random_within(augmentation.shift)
    down_B = 2 * random_within(augmentation.shift)
    across = [angle_B.cos() / width_B, -angle_B.sin() / width_B, right_B]
    along = [angle_B.sin() / height_B, angle_B.cos() / height_B, down_B]
    transforms_B23 = torch.stack(across + along, 1).view(-1, 2, 3)
    size = list(shares_BKhw.shape[2:])
    grid_Bhw2 = functional.affine_grid(transforms_B23, [count, 1, *size], align_corners=False)
    knots_B2kk = torch.randn((count, 2, KNOTS, KNOTS), generator=generator, device=device)
    moves_B2hw = functional.interpolate(knots_B2kk, size, mode="bicubic", align_corners=True)
    return grid_Bhw2 + 2 * augmentation.deformation * moves_B2hw.movedim(1, -1)


def spread_times(count: int, generator: torch.Generator) -> Tensor:
    """Random times, one in each of `count` equal parts of [0, 1], in random order, shape (count,)."""
    order_B = torch.randperm(count, generator=generator, device=generator.device)
    return (order_B + torch.rand(count, generator=generator, device=generator.device)) / count
