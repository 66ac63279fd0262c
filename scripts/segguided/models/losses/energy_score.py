"""The energy score of filter responses: a loss for predictions that are to vary as real images do.

For real responses y and those of two independent predictions, a and b, the score is
    S = (|a − y| + |b − y|)/2 − |a − b|/2,
whose expectation is smallest where a and b have the distribution of y, given what both see
(Gneiting & Raftery, JASA 2007): the squared error's minimum is the mean, this one's the distribution.
The responses are those of random filters at each level of a pyramid. Over all directions of such filters,
equal distributions of the responses mean equal distributions of the pixels below a filter, less their mean
(Cramér & Wold 1936). A filter sees all channels of an image, so that these fit together. Maps of a
network that knows the classes can be scored, too, each of their values by itself.

That compares values one by one. With the length of a vector in place of |·| the score is smallest where all
its values together have the distribution of the real ones. So blocks of responses can be scored as vectors,
too: what lies in one block must fit together.

Shape letters: B batch, C image channels, F filters, H height, W width, L levels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from segguided.config.models.denoiser_losses import EnergyScore
from segguided.training import ranks

LEAST_DIFFERENCE = 1e-7  # d of a block's length √(‖·‖² + d²), which so has a gradient at 0, too
LEAST_SCALE = 1e-3  # of responses or maps, in their own units; below it they are as good as flat


@dataclass(frozen=True)
class Filters:
    """Random filters of each level, and the deviation of the real images' responses there."""

    filters: list[Tensor]  # L of (F, C, size, size)
    scales: list[Tensor]  # L + 1 scalars; the last is of the coarsest level's pixels
    block_side: int  # of the blocks that are scored as vectors; 0: none is

    def scores(self, real_BCHW: Tensor, first_BCHW: Tensor, second_BCHW: Tensor) -> dict[str, Tensor]:
        """The mean scores over the levels, each in units of the real responses' deviation; scalars.

        Of the values one by one, `energy_score`, and of blocks, `energy_score_of_blocks`.
        """
        real, first, second = (responses(x, self.filters) for x in (real_BCHW, first_BCHW, second_BCHW))
        scores = {"energy_score": score(real, first, second, self.scales)}
        if self.block_side:
            lengths = partial(_block_lengths, side=self.block_side)
            scores["energy_score_of_blocks"] = score(real, first, second, self.scales, lengths)
        return scores


def choose_filters(real_BCHW: Tensor, settings: EnergyScore, generator: torch.Generator) -> Filters:
    """New random filters, scaled by the responses of real images: of this process's share of a batch."""
    filters = [
        random_filters(settings.filters, settings.filter_size, generator, real_BCHW.shape[1])
        for _ in range(settings.levels)
    ]
    block_side = settings.block_side if settings.blocks else 0
    return Filters(filters, scales_of(responses(real_BCHW, filters)), block_side)


def _block_lengths(difference_BFHW: Tensor, side: int) -> Tensor:
    """‖·‖/√n of each block's n values, of all channels in `side`×`side` pixels; at the edge of fewer."""
    square_B1HW = difference_BFHW.square().mean(1, keepdim=True)
    side = min(side, *square_B1HW.shape[2:])
    mean_B1hw = functional.avg_pool2d(square_B1HW, side, ceil_mode=True, count_include_pad=False)
    return (mean_B1hw + LEAST_DIFFERENCE**2).sqrt()


def score(
    real: Sequence[Tensor],
    first: Sequence[Tensor],
    second: Sequence[Tensor],
    scales: Sequence[Tensor],
    lengths: Callable[[Tensor], Tensor] = torch.abs,
) -> Tensor:
    """The mean energy score over lists of maps, each in units of its own scale; a scalar.

    A list has one map of real images, or of the first or second prediction, for each scale; shapes are
    equal from list to list. `lengths`: of differences, of each value by itself or of blocks.
    """
    scores = []
    for y, a, b, scale in zip(real, first, second, scales, strict=True):
        error = (lengths(a - y) + lengths(b - y)).mean() / 2
        scores.append((error - lengths(a - b).mean() / 2) / scale)
    return torch.stack(scores).mean()


def scales_of(maps: Sequence[Tensor]) -> list[Tensor]:
    """The standard deviation of each map, over the images of all processes; a scalar each, never 0."""
    if not (maps and ranks.is_shared()):
        return [values.std() + LEAST_SCALE for values in maps]
    own = []
    for values in maps:
        total = values.sum(dtype=torch.float64)
        squares = values.square().sum(dtype=torch.float64)
        own.append(torch.stack([total.new_tensor(values.numel()), total, squares]))
    count_L, sum_L, squares_L = ranks.sum_tensors({"moments": torch.stack(own)})["moments"].unbind(1)
    variance_L = (squares_L - sum_L.square() / count_L).clamp(min=0) / (count_L - 1)
    return [*(variance_L.sqrt().float() + LEAST_SCALE)]


def random_filters(count: int, size: int, generator: torch.Generator, channels: int = 1) -> Tensor:
    """`count` filters (F, C, size, size), each of length 1 and of mean 0 in each channel."""
    weights = torch.randn((count, channels, size, size), generator=generator, device=generator.device)
    weights -= weights.mean((2, 3), keepdim=True)
    return weights / weights.square().sum((1, 2, 3), keepdim=True).sqrt()


def responses(images_BCHW: Tensor, filters: list[Tensor]) -> list[Tensor]:
    """The responses at each level of the pyramid of 2×2 means, then the coarsest level itself."""
    maps = []
    level_BCHW = images_BCHW
    for number, weights in enumerate(filters):
        if number:
            level_BCHW = functional.avg_pool2d(level_BCHW, 2)
        maps.append(respond(level_BCHW, weights))
    return [*maps, level_BCHW]


def respond(images_BCHW: Tensor, filters: Tensor, dilation: int = 1) -> Tensor:
    """Responses (B, F, H, W); beyond its border the image goes on as at the border."""
    reach = dilation * (filters.shape[-1] // 2)
    padded_BCHW = functional.pad(images_BCHW, (reach,) * 4, mode="replicate")
    return functional.conv2d(padded_BCHW, filters, dilation=dilation)
