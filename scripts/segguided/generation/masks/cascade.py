"""Sampling a stage of a cascade of diffusion models of shares, as those that complete masks or draw tissues.

Shape letters: B batch, K classes, h and w of a map of cells.
"""

import math
from collections.abc import Callable

from torch import Tensor

from segguided.config.models.completer import CompletionStage
from segguided.models.completer.shares import alpha_bar_at

SharesOf = Callable[[Tensor, Tensor], Tensor]  # noisy shares (B, K, h, w) and times (B,) -> all shares


def sample_stage(stage: CompletionStage, x_BKhw: Tensor, shares_of: SharesOf) -> Tensor:
    """All shares in the stage's cells, by steps of DDIM (η = 0, Song et al. 2021) at evenly spaced times.

    `x_BKhw`: the noise from which it begins.
    """
    times = [1 - step / stage.steps for step in range(stage.steps + 1)]
    # Python's numbers: a GPU's would be waited for, and cannot be exported.
    alpha_bars = [alpha_bar_at(time, stage.noise_scale) for time in times]
    for step in range(stage.steps):
        shares_BKhw = shares_of(x_BKhw, x_BKhw.new_full((x_BKhw.shape[0],), times[step]))
        if step + 1 < stage.steps:
            now, then = alpha_bars[step : step + 2]
            # √ᾱ'·x0 + √(1−ᾱ')·eps with eps = (x − √ᾱ·x0) / √(1−ᾱ) and x0 = 2·shares − 1, in few operations.
            kept = math.sqrt((1 - then) / (1 - now))
            signal = math.sqrt(then) - kept * math.sqrt(now)
            x_BKhw = (x_BKhw * kept).add_(shares_BKhw, alpha=2 * signal).sub_(signal)
    return shares_BKhw
