"""Images as networks see them: uint8 turned into [-1, 1], and back.

The functions have a module of their own, because importing the diffusion code takes more than a second.

Shape letters: B batch, C channels of an image, H height, W width. Images of several channels have these last.
"""

import torch
from torch import Tensor


def to_signal(images_BHW: Tensor) -> Tensor:
    """uint8 images (B, H, W), or (B, H, W, C), as x0, shape (B, C, H, W), in [-1, 1]."""
    images_BCHW = images_BHW[:, None] if images_BHW.ndim == 3 else images_BHW.movedim(-1, 1)
    return images_BCHW.float() / 127.5 - 1


def to_images(x_BCHW: Tensor) -> Tensor:
    """x0 as uint8 images (B, H, W), of several channels (B, H, W, C); values outside [-1, 1] are clipped."""
    x_BHW = x_BCHW[:, 0] if x_BCHW.shape[1] == 1 else x_BCHW.movedim(1, -1)
    return (x_BHW.float().clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)


def channels_of(images_BHW: Tensor) -> int:
    """How many channels uint8 images have."""
    return images_BHW.shape[3] if images_BHW.ndim == 4 else 1


def channels_entry(channels: int) -> dict[str, int]:
    """The part of config.json that says how many channels images have; empty for one."""
    return {"channels": channels} if channels > 1 else {}
