"""The networks of a cascade's stages.

Shape letters: B batch, K maps (classes or tissues), S maps that are shown (kept classes), F classes that can
be free, J channels, h and w of a map of cells, i and j of the finer map that is shown, u and v of the coarser
map of the stage before.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from diffusers import UNet2DModel
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn
from torch.nn import functional

from segguided.config.models.completer import CompletionStage, Mlp
from segguided.config.models.unet import Unet
from segguided.models.completer.shares import alpha_bar
from segguided.models.on_cpu.order import in_fast_order
from segguided.models.on_cpu.unet import keep_unet_order

TIME_SCALE = 1000  # diffusers embeds times of this range
TIME_CHANNELS = 64  # of the embedding, in an MLP
LEAST_SHARE = 0.02  # of a class that the stage before does not see in a cell
MOST_CERTAIN = 2.0  # logits for each unit of noisy shares; chosen: workflow/docs/choices.md, Tissues


class Context(NamedTuple):
    """What a stage is shown beside noisy shares: the same in all steps, so it is prepared once."""

    read: Tensor  # by the network
    logits_BKhw: Tensor  # of what the stage before gave


class StageNetwork(nn.Module):
    """stage(x_BKhw, time_B, context) -> logits_BKhw."""

    def context(self, shown_BSij: Tensor, is_free_BF: Tensor, coarse_BKuv: Tensor) -> Context:
        """Of the shares that are shown and those of the stage before, at which the first does not look."""
        raise NotImplementedError


class UnetStage(StageNetwork):
    """A UNet on the cells."""

    def __init__(
        self,
        stage: CompletionStage,
        unet: Unet,
        image_size: int,
        maps: int,
        maps_shown: int,
        n_flags: int,
        cell_before: int | None,
    ) -> None:
        super().__init__()
        self.is_first = cell_before is None
        self.patch = unet.patch
        self.noise_scale = stage.noise_scale
        self.side = image_size // stage.cell // self.patch
        self.shown_per_position = stage.cell // stage.detail * self.patch  # a side
        maps_seen = (
            maps * (1 if self.is_first else 2) * self.patch**2 + maps_shown * self.shown_per_position**2
        )
        self.network = _build_unet(stage, unet, maps_seen + n_flags + 2, maps * self.patch**2, self.side)
        axis = torch.linspace(-1, 1, self.side)
        place_hw2 = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))
        self.register_buffer("place_2hw", place_hw2, persistent=False)

    def context(self, shown_BSij: Tensor, is_free_BF: Tensor, coarse_BKuv: Tensor) -> Context:
        """The network reads roots, (B, J, h, w) on its own cells, because they show small shares better."""
        maps = [functional.pixel_unshuffle(shown_BSij.sqrt(), self.shown_per_position)]
        logits_BKhw = shown_BSij.new_zeros(())
        if not self.is_first:
            size = (self.side * self.patch,) * 2
            coarse_BKhw = functional.interpolate(coarse_BKuv, size, mode="bilinear").clamp(0, 1)
            maps.append(functional.pixel_unshuffle(coarse_BKhw.sqrt(), self.patch))
            logits_BKhw = (coarse_BKhw + LEAST_SHARE).log()
        maps.append(is_free_BF[:, :, None, None].float().expand(-1, -1, self.side, self.side))
        maps.append(self.place_2hw.expand(shown_BSij.shape[0], -1, -1, -1))
        return Context(torch.cat(maps, 1), logits_BKhw)

    def forward(self, x_BKhw: Tensor, time_B: Tensor, context: Context) -> Tensor:
        """The logits: what the stage before and the noisy shares say, and what the network adds."""
        x_BJhw = torch.cat([functional.pixel_unshuffle(x_BKhw, self.patch), context.read], 1)
        logits_BJhw = self.network(in_fast_order(x_BJhw), time_B * TIME_SCALE).sample.float()
        logits_BKhw = functional.pixel_shuffle(logits_BJhw, self.patch)
        return torch.addcmul(logits_BKhw + context.logits_BKhw, x_BKhw, self._weight(time_B))

    def _weight(self, time_B: Tensor) -> Tensor:
        """Of the noisy shares, so that they are logits of what they alone say, (B, 1, 1, 1).

        By Bayes' rule that of one class a cell: log p(x | class k) = 2·√ᾱ/(1−ᾱ)·x_k + a constant. So the
        network learns what is plausible beforehand, and need not learn to copy. It is bounded, for in a cell
        of several classes none is certain.
        """
        alpha_bar_B = alpha_bar(time_B, self.noise_scale)
        weight_B = (2 * alpha_bar_B.sqrt() / (1 - alpha_bar_B).clamp(min=1e-6)).clamp(max=MOST_CERTAIN)
        return weight_B.view(-1, 1, 1, 1)


class MlpStage(StageNetwork):
    """A residual MLP on all cells at once.

    For few cells: a training example costs a tenth of what it costs a UNet, and each cell sees all others.
    """

    def __init__(
        self, stage: CompletionStage, mlp: Mlp, image_size: int, maps: int, maps_shown: int, n_flags: int
    ) -> None:
        super().__init__()
        side = image_size // stage.cell
        self.shape = (maps, side, side)
        self.embed = nn.Sequential(
            Timesteps(TIME_CHANNELS, flip_sin_to_cos=True, downscale_freq_shift=0),
            TimestepEmbedding(TIME_CHANNELS, TIME_CHANNELS),
            nn.SiLU(),
        )
        self.first = nn.Linear((maps + maps_shown) * side**2 + n_flags, mlp.width)
        self.blocks = nn.ModuleList(_MlpBlock(mlp.width) for _ in range(mlp.blocks))
        self.last = nn.Linear(mlp.width, maps * side**2)

    def context(self, shown_BSij: Tensor, is_free_BF: Tensor, coarse_BKuv: Tensor) -> Context:
        """The network reads roots, (B, J), because they show small shares better."""
        read_BJ = torch.cat([shown_BSij.sqrt().flatten(1), is_free_BF.float()], 1)
        return Context(read_BJ, shown_BSij.new_zeros(()))

    def forward(self, x_BKhw: Tensor, time_B: Tensor, context: Context) -> Tensor:
        """The logits."""
        time_BJ = self.embed(time_B * TIME_SCALE)
        x_BJ = self.first(torch.cat([x_BKhw.flatten(1), context.read], 1))
        for block in self.blocks:
            x_BJ = block(x_BJ, time_BJ)
        logits_BKhw: Tensor = self.last(functional.silu(x_BJ)).float().unflatten(1, self.shape)
        return logits_BKhw


class _MlpBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.time = nn.Linear(TIME_CHANNELS, width)
        self.last = nn.Linear(width, width)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x_BJ: Tensor, time_BJ: Tensor) -> Tensor:
        within_BJ = functional.silu(self.first(self.norm(x_BJ)) + self.time(time_BJ))
        out_BJ: Tensor = x_BJ + self.last(within_BJ)
        return out_BJ


def build_stages(
    stages: Sequence[CompletionStage], image_size: int, maps: int, maps_shown: int, n_flags: int
) -> nn.ModuleList:
    """The networks, from coarse to fine, for masks of `maps` classes or tissues, background included.

    maps_shown: of the kept classes, background included. n_flags: classes that can be free.
    """
    networks: list[StageNetwork] = []
    cell_before = None
    for stage in stages:
        if stage.unet:
            networks.append(UnetStage(stage, stage.unet, image_size, maps, maps_shown, n_flags, cell_before))
        else:
            assert stage.mlp is not None
            networks.append(MlpStage(stage, stage.mlp, image_size, maps, maps_shown, n_flags))
        cell_before = stage.cell
    return nn.ModuleList(networks)


def _build_unet(
    stage: CompletionStage, unet: Unet, in_channels: int, out_channels: int, side: int
) -> UNet2DModel:
    """diffusers' UNet; one attention head as wide as the narrowest level that has attention."""
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


def roughened(shares_BKuv: Tensor, noise_BKuv: Tensor) -> Tensor:
    """True shares as a stage before might have given them: with noise on their roots.

    The noise is for what the stage before does wrong (Ho et al. 2022, conditioning augmentation).
    """
    return (shares_BKuv.sqrt() + noise_BKuv).clamp(0, 1).square()
