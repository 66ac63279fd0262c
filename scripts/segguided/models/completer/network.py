"""The mask completer: diffusion models of class shares, each given the coarser shares before it.

A coarse model first and finer ones after it are cascaded diffusion (Ho et al. 2022).

Shape letters: B batch, K classes with background, J channels of the UNet, H and W of
the mask, h and w of a map of cells, i and j of the finer map that shows what is kept.
"""

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn
from torch.nn import functional

from segguided.config.models.completer import CompletionStage, MaskCompleter
from segguided.models.completer.shares import alpha_bar
from segguided.models.on_cpu.order import in_fast_order
from segguided.models.on_cpu.unet import keep_unet_order

TIME_SCALE = 1000  # diffusers embeds times of this range
FORBIDDEN = -1e4  # the logit of a class that is not free
MOST_CERTAIN = 2.0  # logits for each unit of noisy shares; chosen: workflow/docs/choices.md, Tissues


class StageNetwork(nn.Module):
    """stage(x_BKhw, time_B, kept_BKij, free_BK, coarse_BKhw) -> logits_BKhw."""

    def __init__(self, stage: CompletionStage, n_classes: int, image_size: int, *, is_first: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.patch = stage.unet.patch
        self.noise_scale = stage.noise_scale
        self.reads_noisy = is_first or stage.cell == 1
        self.side = image_size // stage.cell // self.patch
        self.finer = stage.cell // stage.detail
        maps = n_classes + 1
        maps_seen = maps * (1 if is_first else 2) + maps * self.finer**2
        in_channels = maps_seen * self.patch**2 + n_classes + 2
        self.unet = _build_unet(stage, in_channels, maps * self.patch**2, self.side)
        axis = torch.linspace(-1, 1, self.side)
        place_hw2 = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))
        self.register_buffer("place_2hw", place_hw2, persistent=False)

    def forward(
        self, x_BKhw: Tensor, time_B: Tensor, kept_BKij: Tensor, free_BK: Tensor, coarse_BKhw: Tensor
    ) -> Tensor:
        """Logits of the classes of what is open. Roots, because they show small shares better."""
        kept_BJhw = functional.pixel_unshuffle(kept_BKij.sqrt(), self.finer)
        maps = [x_BKhw, kept_BJhw] + ([] if self.is_first else [coarse_BKhw.sqrt()])
        x_BJhw = functional.pixel_unshuffle(torch.cat(maps, 1), self.patch)
        flags_BKhw = free_BK[:, 1:, None, None].float().expand(-1, -1, self.side, self.side)
        place_B2hw = self.place_2hw.expand(x_BKhw.shape[0], -1, -1, -1)
        x_BJhw = torch.cat([x_BJhw, flags_BKhw, place_B2hw], 1)
        logits_BJhw = self.unet(in_fast_order(x_BJhw), time_B * TIME_SCALE).sample.float()
        logits_BKhw = functional.pixel_shuffle(logits_BJhw, self.patch) + self._of_noisy(x_BKhw, time_B)
        is_forbidden_BK = ~free_BK
        is_forbidden_BK[:, 0] = False
        return logits_BKhw.masked_fill(is_forbidden_BK[:, :, None, None], FORBIDDEN)

    def _of_noisy(self, x_BKhw: Tensor, time_B: Tensor) -> Tensor:
        """What the noisy shares alone say, as logits; 0 in the stages between the first and the last.

        By Bayes' rule that of one class a cell: log p(x | class k) = 2·√ᾱ/(1−ᾱ)·x_k + a constant. So the
        network learns what is plausible beforehand, and need not learn to copy. It is bounded, for in a cell
        of several classes none is certain. The first stage decides what is where, and without it hardly looks
        at the noise, and paints the mean; the stages between are told by the one before.
        """
        if not self.reads_noisy:
            return torch.zeros((), device=x_BKhw.device)
        alpha_bar_B = alpha_bar(time_B, self.noise_scale)
        weight_B = (2 * alpha_bar_B.sqrt() / (1 - alpha_bar_B).clamp(min=1e-6)).clamp(max=MOST_CERTAIN)
        return weight_B.view(-1, 1, 1, 1) * x_BKhw


def _build_unet(stage: CompletionStage, in_channels: int, out_channels: int, side: int) -> UNet2DModel:
    """diffusers' UNet; one attention head as wide as the narrowest level that has attention."""
    unet = stage.unet
    levels = range(len(unet.channels))
    has_attention = [level in unet.attention_levels for level in levels]
    widths = [unet.channels[level] for level in levels if has_attention[level]]
    network = UNet2DModel(
        sample_size=side,
        in_channels=in_channels,
        out_channels=out_channels,
        layers_per_block=unet.layers_per_block,
        block_out_channels=unet.channels,
        norm_num_groups=unet.norm_groups,
        add_attention=stage.middle_attention,
        attention_head_dim=min([*widths, unet.channels[-1]]),
        down_block_types=tuple("AttnDownBlock2D" if attends else "DownBlock2D" for attends in has_attention),
        up_block_types=tuple("AttnUpBlock2D" if attends else "UpBlock2D" for attends in has_attention[::-1]),
    )
    return keep_unet_order(network)


class CompleterNetwork(nn.Module):
    """The networks of all stages, from coarse to fine, in `stages`."""

    def __init__(self, settings: MaskCompleter, n_classes: int, image_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.n_classes = n_classes
        self.stages = nn.ModuleList(
            StageNetwork(stage, n_classes, image_size, is_first=number == 0)
            for number, stage in enumerate(settings.stages)
        )


def roughened(shares_BKhw: Tensor, noise_BKhw: Tensor, side: int) -> Tensor:
    """True shares as a stage before might have given them, enlarged: with noise on their roots.

    The noise is for what the stage before does wrong (Ho et al. 2022, conditioning augmentation).
    """
    return enlarged((shares_BKhw.sqrt() + noise_BKhw).clamp(0, 1).square(), side)


def enlarged(coarse_BKhw: Tensor, side: int) -> Tensor:
    """The shares of the stage before, smoothly enlarged to the next one's cells."""
    return functional.interpolate(coarse_BKhw, (side, side), mode="bilinear").clamp(0, 1)
