"""The order in which images lie in memory while a network computes on a CPU in bf16: channels_last.

oneDNN's convolutions want the channels of a pixel side by side. Images in torch's own order are turned
before each of them and turned back after it: at 128×128 and 16 channels a convolution takes 1.3 ms, in
channels_last order 0.8 (four images, one core of an AMD EPYC). But then all that is between the convolutions
has to keep the order, and be fast in it: norms.py, unet.py.

In fp32 images have torch's order; on a GPU and in compiled networks nothing changes. Weights and `state_dict`
stay as they are.
Shape letters: B batch, C channels, H height, W width, R rows of the image, T values of a row.
"""

import torch
from torch import Tensor

ORDER = torch.channels_last
AT_ONCE = 1024  # values: a loop over fewer, such as the channels of one pixel, is slow


def in_fast_order(x_BCHW: Tensor) -> Tensor:
    """The images in the order in which a CPU's convolutions are fastest; on another device as they are."""
    if x_BCHW.device.type != "cpu" or torch.compiler.is_compiling():
        return x_BCHW
    if not _computes_bf16():
        return x_BCHW.contiguous()
    if x_BCHW.shape[1] == 1:  # in both orders: strides say which is meant, and autocast's own cast loses them
        x_BHW = x_BCHW[:, 0].to(torch.bfloat16).contiguous()
        return x_BHW.view(*x_BHW.shape, 1).movedim(3, 1)
    return x_BCHW.contiguous(memory_format=ORDER)


def _computes_bf16() -> bool:
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def as_stored(x_BCHW: Tensor) -> Tensor:
    """The images with their axes in the order in which they are stored: (B, H, W, C) where they are turned.

    The gradient of a mean has torch's own order. So a loss on turned images is to see them this way.
    """
    return x_BCHW.movedim(1, 3) if is_turned(x_BCHW) else x_BCHW


def is_turned(x_BCHW: Tensor) -> bool:
    """Whether `in_fast_order` turned the images: they are in channels_last order, and in no other, too."""
    return (
        x_BCHW.device.type == "cpu"
        and x_BCHW.dtype in (torch.bfloat16, torch.float32)
        and _computes_bf16()
        and not torch.compiler.is_compiling()
        and x_BCHW.dim() == 4
        and x_BCHW.is_contiguous(memory_format=ORDER)
        and not x_BCHW.is_contiguous()
    )


def add_to_channels(x_BCHW: Tensor, value_BC: Tensor) -> Tensor:
    """A value added to all pixels of a channel, of images in channels_last order."""
    batch, channels, height, width = x_BCHW.shape
    x_BRT = rows(x_BCHW)
    sum_BRT = x_BRT + as_rows(value_BC, x_BRT)
    return sum_BRT.view(batch, height, width, channels).permute(0, 3, 1, 2)


def rows(x_BCHW: Tensor) -> Tensor:
    """Images in channels_last order as rows of several pixels with all their channels, (B, R, T).

    A row has AT_ONCE values or the next more, as far as the number of pixels can be halved.
    """
    batch, channels, height, width = x_BCHW.shape
    times = 1
    while times * channels < AT_ONCE and height * width % (2 * times) == 0:
        times *= 2
    return x_BCHW.permute(0, 2, 3, 1).view(batch, -1, times * channels)


def as_rows(value_xC: Tensor, x_BRT: Tensor) -> Tensor:
    """Values of channels (..., C), once for each pixel of a row (..., 1, T)."""
    times = x_BRT.shape[2] // value_xC.shape[-1]
    return value_xC[..., None, None, :].expand(*value_xC.shape[:-1], 1, times, -1).flatten(-2)
