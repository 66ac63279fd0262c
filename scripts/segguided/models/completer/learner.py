"""Training of the mask completer.

Each stage predicts x0, the shares, by a softmax and is trained with cross-entropy, as diffusion of categories
in continuous time is (Dieleman et al. 2022).

Shape letters: B batch, K classes with background, H and W of the mask, h and w of a map of cells, i and j of
the map that shows what is kept, u and v of the map of the stage before.
"""

import torch
from torch import Tensor

from segguided.config.models.completer import MaskCompleter
from segguided.devices import autocast
from segguided.models.completer.network import CompleterNetwork
from segguided.models.completer.shares import (
    COARSE_NOISE,
    alpha_bar,
    changed,
    in_cells,
    noisy,
    open_entropy,
    random_free,
    random_noise,
    shares_of,
    spread_times,
    without,
)
from segguided.models.completer.stages import roughened
from segguided.training.optimisation import Descent, DescentLearner


class CompleterLearner(DescentLearner):
    """Trains all stages at once, each on the same masks with changes, free classes and noise of its own."""

    def __init__(
        self,
        network: CompleterNetwork,
        settings: MaskCompleter,
        steps: int,
        device: torch.device,
        *,
        mirror: bool,
    ) -> None:
        self.network = network
        self.settings = settings
        self.device = device
        self.mirror = mirror
        self.descent = Descent.with_adamw(network, settings.training, steps)

    def update(
        self,
        images_BHW: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step on a batch of uint8 masks; the images are not looked at."""
        # Whole groups; few slices make a smaller batch, which is one group.
        masks_BHW = masks_BHW[: max(1, len(masks_BHW) // self.settings.group) * self.settings.group]
        shares_BKHW = shares_of(masks_BHW, self.network.n_classes)
        batch = []
        for number in range(len(self.settings.stages)):
            batch += self._examples(number, shares_BKHW, generator, not_annotated_BV)
        return self.descent.descend(self._losses, batch)

    def _examples(
        self,
        number: int,
        shares_BKHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None,
    ) -> list[Tensor]:
        """What a stage learns from: shares, kept, coarse shares, free, noise and time, (groups, M, …) each.

        Groups of masks with as many (M) examples each, because a stage may learn from one in several masks.
        Where a patient was not annotated for a class, also which classes, (groups, M, K): always free.
        """
        stage = self.settings.stages[number]
        # Changed in finer cells than the stage's: faster than at full size.
        shares_BKij = in_cells(shares_BKHW[:: stage.one_in], stage.finer).repeat_interleave(stage.copies, 0)
        mode = "nearest" if stage.finer == 1 else "bilinear"
        shares_BKij = changed(shares_BKij, self.settings.augmentation, self.mirror, generator, mode)
        coarse_BKuv = self._coarse(number, shares_BKij, generator)
        shares_BKij = in_cells(shares_BKij, stage.detail // stage.finer)
        free_BK = random_free(len(shares_BKij), self.network.n_classes, generator)
        unknown = []
        if not_annotated_BV is not None:
            unknown_BK = not_annotated_BV[: len(shares_BKHW) : stage.one_in, : free_BK.shape[1]]
            unknown_BK = unknown_BK.repeat_interleave(stage.copies, 0)
            free_BK |= unknown_BK
            unknown = [unknown_BK]
        kept_BKij = without(shares_BKij, free_BK)
        shares_BKhw = in_cells(shares_BKij, stage.cell // stage.detail)
        eps_BKhw = random_noise(stage, shares_BKhw.shape, generator)
        time_B = spread_times(len(shares_BKhw), generator)
        examples = [shares_BKhw, kept_BKij, coarse_BKuv, free_BK, eps_BKhw, time_B, *unknown]
        n_groups = max(1, len(shares_BKHW) // self.settings.group)
        return [tensor.unflatten(0, (n_groups, -1)) for tensor in examples]

    def _coarse(self, number: int, shares_BKij: Tensor, generator: torch.Generator) -> Tensor:
        """The true shares in the cells of the stage before, with a little noise; no channel for the first."""
        if number == 0:
            return shares_BKij[:, :0]
        finer = self.settings.stages[number].finer
        coarse_BKuv = in_cells(shares_BKij, self.settings.stages[number - 1].cell // finer)
        width_B = COARSE_NOISE * torch.rand(len(coarse_BKuv), generator=generator, device=self.device)
        noise_BKuv = torch.randn(coarse_BKuv.shape, generator=generator, device=self.device)
        return roughened(coarse_BKuv, width_B.view(-1, 1, 1, 1) * noise_BKuv)

    def _losses(self, *batch: Tensor) -> dict[str, Tensor]:
        """The mean cross-entropy of each stage, and `loss`, their sum."""
        losses = {}
        count = len(batch) // len(self.settings.stages)  # of tensors, for each stage
        for number, stage in enumerate(self.settings.stages):
            examples = [tensor.flatten(0, 1) for tensor in batch[count * number : count * (number + 1)]]
            losses[f"cells_of_{stage.cell}"] = self._stage_loss(number, *examples)
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}

    def _stage_loss(
        self,
        number: int,
        shares_BKhw: Tensor,
        kept_BKij: Tensor,
        coarse_BKuv: Tensor,
        free_BK: Tensor,
        eps_BKhw: Tensor,
        time_B: Tensor,
        not_annotated_BK: Tensor | None = None,
    ) -> Tensor:
        stage = self.settings.stages[number]
        x_BKhw = noisy(shares_BKhw, eps_BKhw, alpha_bar(time_B, stage.noise_scale))
        with autocast(self.device, self.settings.training.precision):
            context = self.network.context(number, kept_BKij, free_BK, coarse_BKuv)
            logits_BKhw = self.network.logits(number, x_BKhw, time_B, context, free_BK)
        kept_BKhw = in_cells(kept_BKij, stage.cell // stage.detail)
        return open_entropy(logits_BKhw, shares_BKhw, kept_BKhw, not_annotated_BK)
