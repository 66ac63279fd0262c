"""A decoder that maps of the image's size modulate: SPADE's idea (Park et al., CVPR 2019), made cheap.

In SPADE each norm has a layer of its own that reads the mask, and a level's first block still has the width
of the coarser level. Here all norms of a level share that layer, and the width is reduced before the image
is enlarged: a step of training takes half the time, and masks are followed as well.
Shape letters: B batch, K maps, M channels that modulate, C feature channels, H height, W width.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from segguided.config.models.decoder import Decoder
from segguided.models.on_cpu.norms import instance_norm
from segguided.models.on_cpu.order import in_fast_order

SLOPE = 0.2  # of every leaky ReLU


class ModulatedBlock(nn.Module):
    """A residual block of two convolutions; before each, a norm is scaled and shifted at every position."""

    def __init__(self, channels: int, modulation_channels: int) -> None:
        super().__init__()
        self.modulations = nn.ModuleList(_reader(modulation_channels, 2 * channels) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x_BCHW: Tensor, modulation_BMHW: Tensor) -> Tensor:
        """The sum of the input and what the two convolutions make of it."""
        changed_BCHW = x_BCHW
        for modulation, convolution in zip(self.modulations, self.convolutions, strict=True):
            halves = modulation(modulation_BMHW).chunk(2, 1)
            scale_BCHW, shift_BCHW = (in_fast_order(half_BCHW) for half_BCHW in halves)
            changed_BCHW = instance_norm(changed_BCHW) * (1 + scale_BCHW) + shift_BCHW
            changed_BCHW = convolution(functional.leaky_relu(changed_BCHW, SLOPE))
        return x_BCHW + changed_BCHW


class ModulatedDecoder(nn.Module):
    """decoder(maps_BKHW) -> images of so many `channels` in [-1, 1]."""

    def __init__(self, settings: Decoder, map_channels: int, image_size: int, channels: int = 1) -> None:
        super().__init__()
        widths = settings.channels[::-1]  # coarsest first
        width = settings.modulation_channels
        self.sizes = [image_size >> level for level in reversed(range(len(widths)))]
        self.first = nn.Conv2d(map_channels, widths[0], 3, padding=1)
        self.readers = nn.ModuleList(_reader(map_channels, width) for _ in widths)
        self.blocks = nn.ModuleList(ModulatedBlock(channels, width) for channels in widths)
        self.reductions = nn.ModuleList(
            nn.Identity() if coarse == fine else nn.Conv2d(coarse, fine, 1, bias=False)
            for coarse, fine in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, maps_BKHW: Tensor) -> Tensor:
        """An image for each stack of maps."""
        maps_BKHW = in_fast_order(maps_BKHW)
        x_BCHW = self.first(_shrink(maps_BKHW, self.sizes[0]))
        for level, (size, block) in enumerate(zip(self.sizes, self.blocks, strict=True)):
            if level:
                x_BCHW = functional.interpolate(self.reductions[level - 1](x_BCHW), scale_factor=2)
            x_BCHW = block(x_BCHW, functional.relu(self.readers[level](_shrink(maps_BKHW, size))))
        return torch.tanh(self.last(functional.leaky_relu(x_BCHW, SLOPE)).float())


def _shrink(maps_BKHW: Tensor, size: int) -> Tensor:
    """One pixel in each cell, so that classes stay classes and noise stays noise."""
    return functional.interpolate(maps_BKHW, size=(size, size))


def _reader(channels_in: int, channels_out: int) -> nn.Conv2d:
    """A convolution that reads the mask, or what was made of it.

    With the usual small first weights the mask has an effect far later in training (He et al. 2015).
    """
    convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1)
    nn.init.kaiming_normal_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    return convolution
