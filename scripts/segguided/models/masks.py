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
    `onehot`: one channel for each class, background included. `onehot_free`: the same, then one for each
    class that is 1 everywhere where the class is free, so that a class which is left to the network is not
    mistaken for background. `none`: no channel.
    """

    def __init__(self, conditioning: str, n_classes: int) -> None:
        super().__init__()
        self.conditioning = conditioning
        self.n_classes = n_classes
        self.channels = {
            "none": 0,
            "index255": 1,
            "index255_rgb": 3,
            "onehot": n_classes + 1,
            "onehot_free": 2 * n_classes + 1,
        }[conditioning]

    def forward(self, mask_BHW: Tensor, is_free_BK: Tensor | None = None) -> Tensor:
        """Channels (B, K, H, W) in float32.

        `is_free_BK`: which mask values are free, with the background, which never is; None: none is free.
        Only `onehot_free` looks at it.
        """
        if self.conditioning == "onehot":
            return self._onehot(mask_BHW)
        if self.conditioning == "onehot_free":
            return torch.cat([self._onehot(mask_BHW), self._flags(mask_BHW, is_free_BK)], 1)
        if self.conditioning in ("index255", "index255_rgb"):
            return (mask_BHW[:, None].float() / 255).expand(-1, self.channels, -1, -1)
        return mask_BHW.new_zeros((mask_BHW.shape[0], 0, *mask_BHW.shape[1:]), dtype=torch.float32)

    def _onehot(self, mask_BHW: Tensor) -> Tensor:
        return functional.one_hot(mask_BHW.long(), self.n_classes + 1).movedim(-1, 1).float()

    def _flags(self, mask_BHW: Tensor, is_free_BK: Tensor | None) -> Tensor:
        """A constant channel for each class but the background."""
        size = mask_BHW.shape[1:]
        if is_free_BK is None:
            return mask_BHW.new_zeros((mask_BHW.shape[0], self.n_classes, *size), dtype=torch.float32)
        return is_free_BK[:, 1:, None, None].float().expand(-1, -1, *size)
