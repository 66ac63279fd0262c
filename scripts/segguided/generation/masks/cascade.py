"""Sampling a stage of a cascade of diffusion models of shares, as those that complete masks or draw tissues.

Shape letters: B batch, K classes, h and w of a map of cells.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from segguided.config.models.completer import CompletionStage
from segguided.models.completer.shares import alpha_bar, noisy

SharesOf = Callable[[Tensor, Tensor], Tensor]  # noisy shares (B, K, h, w) and times (B,) -> all shares


def sample_stage(stage: CompletionStage, x_BKhw: Tensor, shares_of: SharesOf) -> Tensor:
    """All shares in the stage's cells, by steps of DDIM (η = 0, Song et al. 2021) at evenly spaced times.

    `x_BKhw`: the noise from which it begins.
    """
    times = torch.linspace(1, 0, stage.steps + 1, device=x_BKhw.device)
    alpha_bars = alpha_bar(times, stage.noise_scale)
    for step in range(stage.steps):
        shares_BKhw = shares_of(x_BKhw, times[step].expand(x_BKhw.shape[0]))
        signal_BKhw = alpha_bars[step].sqrt() * (2 * shares_BKhw - 1)
        eps_BKhw = (x_BKhw - signal_BKhw) / (1 - alpha_bars[step]).sqrt()
        x_BKhw = noisy(shares_BKhw, eps_BKhw, alpha_bars[step + 1])
    return shares_BKhw
