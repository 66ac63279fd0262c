"""SPADE's networks (Park et al., CVPR 2019), built from MONAI's parts: a generator and its discriminators.

Where MONAI's parts differ from the authors' code, the networks here follow the authors. In MONAI the decoder
ends in one channel at half size, scale and shift maps are normalised again, the layer before them ends in a
leaky ReLU, the shortcut has a bias, the last convolution of a discriminator pads by one pixel, and all
discriminators see full images.
Shape letters: B batch, C feature channels, K mask channels, H height, W width.
"""

from collections.abc import Iterator
from typing import Any

import torch
from monai.networks.blocks.spade_norm import SPADE
from monai.networks.nets.patchgan_discriminator import PatchDiscriminator
from monai.networks.nets.spade_network import SPADENetResBlock
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from segguided.config.models.spade import FirstWeights, SpadeDiscriminator, SpadeGenerator
from segguided.models.masks import MaskEncoder
from segguided.models.on_cpu.norms import keep_order
from segguided.models.on_cpu.order import in_fast_order, is_turned

NORMS: dict[str, Any] = {"batch": ("BATCH", {"affine": False}), "instance": "INSTANCE"}
SLOPE = 0.2  # of every leaky ReLU
PADDING = 2  # pixels at each border, of every convolution of a discriminator
XAVIER_GAIN = 0.02  # of SPADE's first weights: its init_variance


class _ModulatedNorm(SPADE):
    def forward(self, x: Tensor, segmap: Tensor) -> Tensor:
        """MONAI's norm that the mask modulates; that one turns its images in any case."""
        shown_BKHW = functional.interpolate(segmap, size=x.shape[2:])
        read_BMHW = self.mlp_shared(shown_BKHW)
        normed_BCHW = self.param_free_norm(x if is_turned(x) else x.contiguous())
        result: Tensor = normed_BCHW * (1 + self.mlp_gamma(read_BMHW)) + self.mlp_beta(read_BMHW)
        return result


class Generator(nn.Module):
    """generator(mask_BHW) -> image_BCHW in [-1, 1]: from coarse to fine, each norm modulated by the mask.

    `channels`: those of an image.
    """

    def __init__(self, settings: SpadeGenerator, n_classes: int, image_size: int, channels: int = 1) -> None:
        super().__init__()
        self.encoder = MaskEncoder("onehot", n_classes)
        widths = settings.channels[::-1]  # coarsest first
        self.coarsest = image_size >> (len(widths) - 1)
        self.first = nn.Conv2d(self.encoder.channels, widths[0], 3, padding=1)
        self.levels = nn.ModuleList()
        self.channels = channels  # of an image
        width_before = widths[0]
        for level, width in enumerate(widths):
            blocks = nn.ModuleList()
            for _ in range(settings.middle_blocks if level == 1 else 1):
                blocks.append(self._block(settings, width_before, width))
                width_before = width
            self.levels.append(blocks)
        self.last = nn.Conv2d(width_before, channels, 3, padding=1)
        keep_order(self)

    def _block(self, settings: SpadeGenerator, channels_in: int, channels_out: int) -> nn.Module:
        block = SPADENetResBlock(
            spatial_dims=2,
            in_channels=channels_in,
            out_channels=channels_out,
            label_nc=self.encoder.channels,
            spade_intermediate_channels=settings.modulation_channels,
            norm=NORMS[settings.norm],
        )
        for spade in _modules(block, SPADE):
            spade.__class__ = _ModulatedNorm
            # MONAI puts an instance norm behind these, which removes all that a mask of a single class says.
            spade.mlp_gamma = spade.mlp_gamma.conv
            spade.mlp_beta = spade.mlp_beta.conv
            spade.mlp_shared.adn.A = nn.ReLU()
        if block.learned_shortcut:
            block.conv_s.conv.register_parameter("bias", None)
        return block

    def forward(self, mask_BHW: Tensor) -> Tensor:
        """An image for each integer class map."""
        onehot_BKHW = in_fast_order(self.encoder(mask_BHW))
        x_BCHW = self.first(functional.interpolate(onehot_BKHW, size=(self.coarsest, self.coarsest)))
        for level, blocks in enumerate(self.levels):
            if level:
                x_BCHW = functional.interpolate(x_BCHW, scale_factor=2)
            for block in blocks:
                x_BCHW = block(x_BCHW, onehot_BKHW)
        return torch.tanh(self.last(functional.leaky_relu(x_BCHW, SLOPE)).float())

    def convolutions(self) -> Iterator[nn.Module]:
        """The convolutions that the paper normalises spectrally: those in the residual blocks."""
        for block in _modules(self, SPADENetResBlock):
            names = [name for name in ("conv_0", "conv_1", "conv_s") if hasattr(block, name)]
            yield from (getattr(block, name).conv for name in names)


class Discriminator(nn.Module):
    """discriminator(image_B1HW, onehot_BKHW) -> for each scale the maps of its layers, its verdict last."""

    def __init__(self, settings: SpadeDiscriminator, mask_channels: int, channels: int = 1) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            PatchDiscriminator(
                spatial_dims=2,
                channels=settings.channels,
                in_channels=channels + mask_channels,
                num_layers_d=settings.layers - 1,  # MONAI does not count the first
                padding=PADDING,
                norm="INSTANCE",
            )
            for _ in range(settings.scales)
        )
        for discriminator in self.scales:
            discriminator.final_conv.conv.padding = (PADDING, PADDING)
        keep_order(self)

    def forward(self, image_B1HW: Tensor, onehot_BKHW: Tensor) -> list[list[Tensor]]:
        """The maps; a verdict is above 0 where a patch looks real."""
        x_BCHW = in_fast_order(torch.cat([image_B1HW, onehot_BKHW], 1))
        maps_by_scale = []
        for scale, discriminator in enumerate(self.scales):
            if scale:
                x_BCHW = functional.avg_pool2d(x_BCHW, 3, stride=2, padding=1, count_include_pad=False)
            maps_by_scale.append(discriminator(x_BCHW))
        return maps_by_scale

    def convolutions(self) -> Iterator[nn.Module]:
        """The convolutions that the paper normalises spectrally: all but the first and the last."""
        for discriminator in self.scales:
            yield from (layer.conv for layer in list(discriminator)[1:-1])


def initialise(network: Generator | Discriminator, first_weights: FirstWeights) -> None:
    """Give the network's convolutions their first weights.

    "xavier" is what SPADE's authors have: normal weights of gain 0.02 (Glorot & Bengio 2010) and no bias, in
    all convolutions. "he" (He et al. 2015) is for the layers that read the mask: with so small weights the
    mask has an effect far later in training. The others keep the first weights of torch and MONAI.
    """
    if first_weights == "xavier":
        for convolution in _modules(network, nn.Conv2d):
            nn.init.xavier_normal_(convolution.weight, gain=XAVIER_GAIN)
            _clear_bias(convolution)
        return
    for spade in _modules(network, SPADE):
        for convolution in (spade.mlp_shared.conv, spade.mlp_gamma, spade.mlp_beta):
            nn.init.kaiming_normal_(convolution.weight)
            _clear_bias(convolution)


def _clear_bias(convolution: nn.Conv2d) -> None:
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


def normalise_spectrally(network: Generator | Discriminator) -> None:
    """Divide the weights of the network's convolutions by their largest singular value while it trains."""
    for convolution in network.convolutions():
        spectral_norm(convolution)


def bake_spectral_norm(network: Generator) -> None:
    """Replace the normalised weights by plain weights of the same value."""
    for convolution in network.convolutions():
        parametrize.remove_parametrizations(convolution, "weight")


def _modules(network: nn.Module, kind: type) -> list[Any]:
    return [module for module in network.modules() if isinstance(module, kind)]
