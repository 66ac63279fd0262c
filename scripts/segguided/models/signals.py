"""Images as networks see them; apart from the diffusion code, whose imports cost more than a second.

Shape letters: B batch, H height, W width.
"""

import torch
from torch import Tensor


def to_signal(images_BHW: Tensor) -> Tensor:
    """uint8 images (B, H, W) as x0 (B, 1, H, W) in [-1, 1]."""
    return images_BHW[:, None].float() / 127.5 - 1


def to_images(x_BCHW: Tensor) -> Tensor:
    """x0 in [-1, 1] as uint8 images (B, H, W), clipped."""
    return (x_BCHW[:, 0].float().clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
