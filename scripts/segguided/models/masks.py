"""Class maps as the channels that networks read.

Shape letters: B batch, K mask channels, H height, W width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class MaskEncoder(nn.Module):
    """Integer class maps (B, H, W) as image-like channels.

    `index255`: one channel k/255, the encoding of the paper's authors and of their weights.
    `onehot`: a channel a class, background included. `none`: no channel.
    """

    def __init__(self, conditioning: str, n_classes: int) -> None:
        super().__init__()
        self.conditioning, self.n_classes = conditioning, n_classes
        self.channels = {"none": 0, "index255": 1, "onehot": n_classes + 1}[conditioning]

    def forward(self, mask_BHW: Tensor) -> Tensor:
        """Channels (B, K, H, W) in float32."""
        if self.conditioning == "onehot":
            return functional.one_hot(mask_BHW.long(), self.n_classes + 1).movedim(-1, 1).float()
        if self.conditioning == "index255":
            return mask_BHW[:, None].float() / 255
        return mask_BHW.new_zeros((len(mask_BHW), 0, *mask_BHW.shape[1:]), dtype=torch.float32)
