"""Masks as networks read them: class maps turned into channels.

Shape letters: B batch, K mask channels, H height, W width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class MaskEncoder(nn.Module):
    """Integer class maps (B, H, W) as image-like channels.

    `index255`: one channel k/255, as in the code and the weights of the paper's authors. `index255_rgb`: the
    same three times, as an image file of the class values is read.
    `onehot`: one channel for each class, background included. `none`: no channel.
    """

    def __init__(self, conditioning: str, n_classes: int) -> None:
        super().__init__()
        self.conditioning = conditioning
        self.n_classes = n_classes
        self.channels = {"none": 0, "index255": 1, "index255_rgb": 3, "onehot": n_classes + 1}[conditioning]

    def forward(self, mask_BHW: Tensor) -> Tensor:
        """Channels (B, K, H, W) in float32."""
        if self.conditioning == "onehot":
            return functional.one_hot(mask_BHW.long(), self.n_classes + 1).movedim(-1, 1).float()
        if self.conditioning in ("index255", "index255_rgb"):
            return (mask_BHW[:, None].float() / 255).expand(-1, self.channels, -1, -1)
        return mask_BHW.new_zeros((len(mask_BHW), 0, *mask_BHW.shape[1:]), dtype=torch.float32)
