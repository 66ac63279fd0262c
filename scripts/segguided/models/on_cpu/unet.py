"""diffusers' networks that keep channels_last order on a CPU.

Shape letters: B batch, C channels, H height, W width.
"""

from typing import Any, TypeVar

from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from segguided.models.on_cpu.norms import keep_order
from segguided.models.on_cpu.order import add_to_channels, is_turned

Network = TypeVar("Network", bound=nn.Module)


def keep_unet_order(network: Network) -> Network:
    """The same network of diffusers; its norms and residual blocks keep the order of images on a CPU."""
    keep_order(network)
    for module in network.modules():
        if type(module) is ResnetBlock2D and _is_plain(module):
            module.__class__ = _ResidualBlock
    return network


def _is_plain(block: ResnetBlock2D) -> bool:
    """Whether the block changes no size; and adds the time, if it sees one, to its channels."""
    changes_size = block.upsample is not None or block.downsample is not None
    return not changes_size and block.time_embedding_norm == "default" and not block.skip_time_act


class _ResidualBlock(ResnetBlock2D):
    def forward(self, input_tensor: Tensor, temb: Tensor | None, *others: Any, **named: Any) -> Tensor:
        """diffusers' block; in training that one turns the order before its shortcut."""
        if not is_turned(input_tensor):
            result: Tensor = super().forward(input_tensor, temb, *others, **named)
            return result
        x_BCHW = self.conv1(self.nonlinearity(self.norm1(input_tensor)))
        if self.time_emb_proj is not None:
            x_BCHW = add_to_channels(x_BCHW, self.time_emb_proj(self.nonlinearity(temb)))
        x_BCHW = self.conv2(self.dropout(self.nonlinearity(self.norm2(x_BCHW))))
        if self.conv_shortcut is not None:
            input_tensor = self.conv_shortcut(input_tensor)
        sum_BCHW: Tensor = input_tensor + x_BCHW
        return sum_BCHW if self.output_scale_factor == 1 else sum_BCHW / self.output_scale_factor
