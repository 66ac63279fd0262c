"""Images as networks see them: uint8 turned into [-1, 1], and back.

The functions have a module of their own, because importing the diffusion code takes more than a second.

Shape letters: B batch, H height, W width.
"""

import torch
from torch import Tensor


def to_signal(images_BHW: Tensor) -> Tensor:
    """uint8 images (B, H, W) as x0, shape (B, 1, H, W), in [-1, 1]."""
    return images_BHW[:, None].float() / 127.5 - 1


def to_images(x_BCHW: Tensor) -> Tensor:
    """x0 as uint8 images (B, H, W); values outside [-1, 1] are clipped."""
    return (x_BCHW[:, 0].float().clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
