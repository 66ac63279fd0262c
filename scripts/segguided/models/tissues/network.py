"""Networks that draw where tissues lie in a mask: diffusion models of shares, from coarse cells to pixels.

They are a completer's (`models/completer`), with another question: how is each class of the whole mask
divided.

Shape letters: B batch, M copies of each mask, T tissues, K classes, H and W of the mask, h and w of a map of
cells, i and j of the map that shows the classes, u and v of the map of the stage before.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segguided.config.models.tissues import Tissues
from segguided.config.models.training import Precision
from segguided.devices import autocast
from segguided.models.completer.shares import (
    COARSE_NOISE,
    alpha_bar,
    changed,
    enlarged_noise,
    in_cells,
    noisy,
    random_noise,
    shares_of,
    spread_times,
)
from segguided.models.completer.stages import Context, build_stages, roughened
from segguided.models.tissues.division import Division


class TissueNetwork(nn.Module):
    """The networks of all stages, from coarse to fine, in `stages`."""

    class_of_T: Tensor
    is_divided_T: Tensor  # whether a tissue is a part of a class that is divided

    def __init__(self, settings: Tissues, division: Division, image_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.image_size = image_size
        self.division = division
        self.n_tissues = len(division.classes)
        # The tissues of each class: lists, for to look them up on a GPU would wait for it.
        self.members = [
            [tissue for tissue, value in enumerate(division.classes) if value == wanted]
            for wanted in range(division.n_classes + 1)
        ]
        n_shown = division.n_classes + 1
        self.stages = build_stages(settings.stages, image_size, self.n_tissues, n_shown, n_flags=0)
        self.register_buffer("class_of_T", torch.tensor(division.classes), persistent=False)
        is_divided_T = torch.tensor([value in division.cuts for value in division.classes])
        self.register_buffer("is_divided_T", is_divided_T, persistent=False)

    @property
    def noise_shapes(self) -> list[tuple[int, int, int]]:
        """Of the noise from which each stage samples, without the batch; see `enlarged`."""
        sides = [self.image_size // stage.cell // stage.noise_patch for stage in self.settings.stages]
        return [(self.n_tissues, side, side) for side in sides]

    def enlarged(self, noises: Sequence[Tensor]) -> list[Tensor]:
        """Noise of `noise_shapes`, enlarged to each stage's cells."""
        sides = [self.image_size // stage.cell for stage in self.settings.stages]
        return [enlarged_noise(eps_BTuv, side) for eps_BTuv, side in zip(noises, sides, strict=True)]

    def classes(self, shares_BThw: Tensor) -> Tensor:
        """The shares of the classes, (B, K, h, w)."""
        size = (shares_BThw.shape[0], self.division.n_classes + 1, *shares_BThw.shape[2:])
        return shares_BThw.new_zeros(size).index_add_(1, self.class_of_T, shares_BThw)

    def log_parts(self, logits_BThw: Tensor) -> Tensor:
        """The logarithm of each tissue's share of its class."""
        parts_BThw = torch.empty_like(logits_BThw)
        for members_P in self.members:
            parts_BThw[:, members_P] = logits_BThw[:, members_P].log_softmax(1)
        return parts_BThw

    def context(self, number: int, classes_BKij: Tensor, coarse_BTuv: Tensor) -> Context:
        """What stage `number` is shown; the first stage does not look at `coarse`."""
        none_B0 = torch.zeros((classes_BKij.shape[0], 0), dtype=torch.bool, device=classes_BKij.device)
        context: Context = self.stages[number].context(classes_BKij, none_B0, coarse_BTuv)
        return context

    def examples(self, tissues_BHW: Tensor, generator: torch.Generator) -> list[Tensor]:
        """What the stages learn from, of masks of tissues: five tensors (B, M, …) for each."""
        shares_BTHW = shares_of(tissues_BHW, self.n_tissues - 1)
        return [
            tensor.unflatten(0, (-1, stage.copies))
            for number, stage in enumerate(self.settings.stages)
            for tensor in self._examples(number, shares_BTHW, generator)
        ]

    def _examples(self, number: int, shares_BTHW: Tensor, generator: torch.Generator) -> list[Tensor]:
        """Shares in the finer cells, noise, time, and a little noise for the shares of the stage before.

        And how much of the masks is divided, on average: the same number for each, however they are split.
        """
        stage = self.settings.stages[number]
        shares_BTij = in_cells(shares_BTHW, stage.finer).repeat_interleave(stage.copies, 0)
        mode = "nearest" if stage.finer == 1 else "bilinear"
        shares_BTij = changed(shares_BTij, self.settings.augmentation, False, generator, mode)
        count = len(shares_BTij)
        side = shares_BTHW.shape[-1] // stage.cell
        device = shares_BTij.device
        eps_BThw = random_noise(stage, (count, self.n_tissues, side, side), generator)
        time_B = spread_times(count, generator)
        before = side if number == 0 else shares_BTHW.shape[-1] // self.settings.stages[number - 1].cell
        maps = 0 if number == 0 else self.n_tissues
        width_B = COARSE_NOISE * torch.rand(count, generator=generator, device=device)
        noise_BTuv = torch.randn((count, maps, before, before), generator=generator, device=device)
        area_B = self._divided(shares_BTij).sum(1).mean().expand(count)
        return [shares_BTij, eps_BThw, time_B, width_B.view(-1, 1, 1, 1) * noise_BTuv, area_B]

    def _divided(self, shares_BThw: Tensor) -> Tensor:
        """The shares of the parts of classes that are divided; 0 of the others."""
        return shares_BThw * self.is_divided_T[:, None, None]

    def losses(self, examples: Sequence[Tensor], precision: Precision) -> dict[str, Tensor]:
        """The mean cross-entropy of each stage, over the area of the classes that are divided."""
        count = len(examples) // len(self.stages)  # of tensors, for each stage
        return {
            f"tissues_in_cells_of_{stage.cell}": self._loss(
                number,
                *(tensor.flatten(0, 1) for tensor in examples[count * number : count * (number + 1)]),
                precision=precision,
            )
            for number, stage in enumerate(self.settings.stages)
        }

    def _loss(
        self,
        number: int,
        shares_BTij: Tensor,
        eps_BThw: Tensor,
        time_B: Tensor,
        coarse_noise_BTuv: Tensor,
        area_B: Tensor,
        *,
        precision: Precision,
    ) -> Tensor:
        stage = self.settings.stages[number]
        shares_BThw = in_cells(shares_BTij, stage.cell // stage.finer)
        coarse_BTuv = coarse_noise_BTuv
        if number:
            before_BTuv = in_cells(shares_BTij, self.settings.stages[number - 1].cell // stage.finer)
            coarse_BTuv = roughened(before_BTuv, coarse_noise_BTuv)
        classes_BKij = in_cells(self.classes(shares_BTij), stage.detail // stage.finer)
        x_BThw = noisy(shares_BThw, eps_BThw, alpha_bar(time_B, stage.noise_scale))
        with autocast(x_BThw.device, precision):
            context = self.context(number, classes_BKij, coarse_BTuv)
            logits_BThw = self.stages[number](x_BThw, time_B, context)
        entropy_Bhw = -(self._divided(shares_BThw) * self.log_parts(logits_BThw.float())).sum(1)
        return (entropy_Bhw.mean((1, 2)) / area_B.clamp(min=1e-6)).mean()
