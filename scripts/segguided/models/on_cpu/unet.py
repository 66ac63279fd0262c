"""diffusers' UNets that keep channels_last order on a CPU.

Shape letters: B batch, C channels, D of the embedded time, H height, W width.
"""

from typing import Any

from diffusers import UNet2DModel
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor

from segguided.models.on_cpu.norms import keep_order
from segguided.models.on_cpu.order import add_to_channels, is_turned


def keep_unet_order(unet: UNet2DModel) -> UNet2DModel:
    """The same UNet; its norms and residual blocks keep the order of images on a CPU."""
    keep_order(unet)
    for module in unet.modules():
        if type(module) is ResnetBlock2D and _is_plain(module):
            module.__class__ = _ResidualBlock
    return unet


def _is_plain(block: ResnetBlock2D) -> bool:
    """Whether the block changes no size, and adds the time to its channels."""
    changes_size = block.upsample is not None or block.downsample is not None
    adds_time = block.time_emb_proj is not None and block.time_embedding_norm == "default"
    return adds_time and not changes_size and not block.skip_time_act


class _ResidualBlock(ResnetBlock2D):
    def forward(self, input_tensor: Tensor, temb: Tensor, *others: Any, **named: Any) -> Tensor:
        """diffusers' block; in training that one turns the order before its shortcut."""
        if not is_turned(input_tensor):
            result: Tensor = super().forward(input_tensor, temb, *others, **named)
            return result
        x_BCHW = self.conv1(self.nonlinearity(self.norm1(input_tensor)))
        x_BCHW = add_to_channels(x_BCHW, self.time_emb_proj(self.nonlinearity(temb)))
        x_BCHW = self.conv2(self.dropout(self.nonlinearity(self.norm2(x_BCHW))))
        if self.conv_shortcut is not None:
            input_tensor = self.conv_shortcut(input_tensor)
        sum_BCHW: Tensor = input_tensor + x_BCHW
        return sum_BCHW if self.output_scale_factor == 1 else sum_BCHW / self.output_scale_factor
