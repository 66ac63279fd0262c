"""The mask completer: diffusion models of class shares, each given the coarser shares before it.

A coarse model first and finer ones after it are cascaded diffusion (Ho et al. 2022).

Shape letters: B batch, K classes with background, h and w of a map of cells, i and j of the map that shows
what is kept, u and v of the map of the stage before.
"""

from torch import Tensor, nn

from segguided.config.models.completer import MaskCompleter
from segguided.models.completer.stages import Context, build_stages

FORBIDDEN = -1e4  # the logit of a class that is not free


class CompleterNetwork(nn.Module):
    """The networks of all stages, from coarse to fine, in `stages`."""

    def __init__(self, settings: MaskCompleter, n_classes: int, image_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.n_classes = n_classes
        self.stages = build_stages(settings.stages, image_size, n_classes + 1, n_classes + 1, n_classes)

    def context(self, number: int, kept_BKij: Tensor, free_BK: Tensor, coarse_BKuv: Tensor) -> Context:
        """What stage `number` is shown, for `logits`; the first stage does not look at `coarse`."""
        context: Context = self.stages[number].context(kept_BKij, free_BK[:, 1:], coarse_BKuv)
        return context

    def logits(
        self, number: int, x_BKhw: Tensor, time_B: Tensor, context: Context, free_BK: Tensor
    ) -> Tensor:
        """Of the classes of what is open in stage `number`, (B, K, h, w)."""
        logits_BKhw: Tensor = self.stages[number](x_BKhw, time_B, context)
        is_forbidden_BK = ~free_BK
        is_forbidden_BK[:, 0] = False
        return logits_BKhw.masked_fill(is_forbidden_BK[:, :, None, None], FORBIDDEN)
