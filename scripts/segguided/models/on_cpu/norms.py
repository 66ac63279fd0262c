"""Norms that keep channels_last order on a CPU.

torch's gradient of a group norm takes 40 times as long in that order as in torch's own, so these have a
gradient of their own. So has a PReLU of a single weight, for which torch adds up a whole image of gradients.
Shape letters: as in order.py; G groups, D channels of a group.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from segguided.models.on_cpu.order import ORDER, as_rows, is_turned, rows

SMALL = 1024  # pixels: of fewer, torch reads channels_last order badly, and its own with both turns is faster
FAR = 1  # standard deviation: a mean farther from 0 is taken off the image, so that little is rounded
PARTS = 4  # of an image, whose sums are rounded


def keep_order(network: nn.Module) -> None:
    """Let the norms of `network` keep the order of images on a CPU."""
    for module in network.modules():
        if type(module) is nn.GroupNorm:
            module.__class__ = _GroupNorm
        elif type(module) is nn.InstanceNorm2d and not module.track_running_stats:
            module.__class__ = _InstanceNorm
        elif type(module) is nn.PReLU and module.num_parameters == 1:
            module.__class__ = _PReLU


class _GroupNorm(nn.GroupNorm):
    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The normed images, in the order that they have."""
        if is_turned(x_BCHW):
            return _norm(x_BCHW, self.num_groups, self.weight, self.bias, self.eps)
        return super().forward(x_BCHW)


class _InstanceNorm(nn.InstanceNorm2d):
    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The normed images, in the order that they have."""
        if is_turned(x_BCHW):
            return _norm(x_BCHW, x_BCHW.shape[1], self.weight, self.bias, self.eps)
        return super().forward(x_BCHW)


class _PReLU(nn.PReLU):
    def forward(self, x_BCHW: Tensor) -> Tensor:
        """x, and where it is negative its product with the weight."""
        if not is_turned(x_BCHW):
            return super().forward(x_BCHW)
        result_BCHW: Tensor = _OneSlope.apply(x_BCHW, self.weight)
        return result_BCHW


class _OneSlope(torch.autograd.Function):
    """A PReLU of one weight. torch's gradient of it takes a third of a segmenter's training step."""

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, weight_1: Tensor) -> Tensor:
        ctx.save_for_backward(x_BCHW)
        ctx.slope = weight_1.item()
        return functional.leaky_relu(x_BCHW, ctx.slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (x_BCHW,) = ctx.saved_tensors
        slope_BCHW = gradients[0].contiguous(memory_format=ORDER)
        of_x_BCHW = torch.ops.aten.leaky_relu_backward(slope_BCHW, x_BCHW, ctx.slope, False)
        products_BRT = rows(slope_BCHW) * rows(x_BCHW).clamp(max=0)
        return of_x_BCHW, products_BRT.sum(1).sum(dtype=torch.float32).view(1)


def instance_norm(
    x_BCHW: Tensor, weight_C: Tensor | None = None, bias_C: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """torch.nn.functional.instance_norm by the images' own statistics, in the order that they have."""
    if is_turned(x_BCHW):
        return _norm(x_BCHW, x_BCHW.shape[1], weight_C, bias_C, eps)
    return functional.instance_norm(x_BCHW, weight=weight_C, bias=bias_C, eps=eps)


def _norm(x_BCHW: Tensor, groups: int, weight_C: Tensor | None, bias_C: Tensor | None, eps: float) -> Tensor:
    channels = x_BCHW.shape[1]
    # In fp32, so that the statistics that the kernel gives are fp32, too.
    weight_C = torch.ones(channels) if weight_C is None else weight_C.float()
    bias_C = torch.zeros(channels) if bias_C is None else bias_C.float()
    normed_BCHW: Tensor = _Norm.apply(x_BCHW, weight_C, bias_C, groups, eps)
    return normed_BCHW


class _Norm(torch.autograd.Function):
    """torch's group norm with a gradient that reads images in channels_last order row by row."""

    @staticmethod
    def forward(
        ctx: Any, x_BCHW: Tensor, weight_C: Tensor, bias_C: Tensor, groups: int, eps: float
    ) -> Tensor:
        batch, channels, height, width = x_BCHW.shape
        ctx.is_small = height * width < SMALL
        if ctx.is_small:
            x_BCHW = x_BCHW.contiguous()
        normed_BCHW, mean_BG, inverse_BG = torch.native_group_norm(
            x_BCHW, weight_C, bias_C, batch, channels, height * width, groups, eps
        )
        ctx.save_for_backward(x_BCHW, weight_C, mean_BG, inverse_BG)
        return normed_BCHW.contiguous(memory_format=ORDER)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradients_of = _small_gradients if ctx.is_small else _gradients
        return (*gradients_of(gradients[0], *ctx.saved_tensors), None, None)


def _small_gradients(
    slope_BCHW: Tensor, x_BCHW: Tensor, weight_C: Tensor, mean_BG: Tensor, inverse_BG: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Those of the image, the weight and the bias, by torch's own kernel in its own order."""
    batch, channels, height, width = x_BCHW.shape
    sizes = batch, channels, height * width, mean_BG.shape[1]
    of_x_BCHW, of_weight_C, of_bias_C = torch.ops.aten.native_group_norm_backward(
        slope_BCHW.contiguous(), x_BCHW, mean_BG, inverse_BG, weight_C, *sizes, [True, True, True]
    )
    return of_x_BCHW.contiguous(memory_format=ORDER), of_weight_C, of_bias_C


def _gradients(
    slope_BCHW: Tensor, x_BCHW: Tensor, weight_C: Tensor, mean_BG: Tensor, inverse_BG: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Those of the image, the weight and the bias.

    With x̂ the normed image, σ⁻¹ `inverse`: dx = σ⁻¹·(w·dy − mean(w·dy) − x̂·mean(w·dy·x̂)).
    That is dx = a·dy + b·x + c, with an a, b and c of each channel.
    """
    batch, channels, height, width = x_BCHW.shape
    x_BRT, slope_BRT = rows(x_BCHW), rows(slope_BCHW.contiguous(memory_format=ORDER))
    mean_BG1, inverse_BG1 = mean_BG[..., None], inverse_BG[..., None]
    weight_GD = weight_C.view(mean_BG.shape[1], -1)
    if (mean_BG1.abs() * inverse_BG1 > FAR).any():
        rounded_BG1 = mean_BG1.to(x_BRT.dtype)
        x_BRT = x_BRT - as_rows(rounded_BG1.expand(-1, *weight_GD.shape).reshape(batch, channels), x_BRT)
        mean_BG1 = mean_BG1 - rounded_BG1.float()
    slope_BGD = _sum(slope_BRT, weight_GD, height)
    product_BGD = (_sum(slope_BRT * x_BRT, weight_GD, height) - mean_BG1 * slope_BGD) * inverse_BG1
    values = height * width * weight_GD.shape[1]
    mean_slope_BG1 = (slope_BGD * weight_GD).sum(2, keepdim=True) / values
    mean_product_BG1 = (product_BGD * weight_GD).sum(2, keepdim=True) / values
    of_x_BG1 = -inverse_BG1.square() * mean_product_BG1
    constant_BG1 = -inverse_BG1 * mean_slope_BG1 - mean_BG1 * of_x_BG1
    factors_3BGD = torch.stack(torch.broadcast_tensors(inverse_BG1 * weight_GD, of_x_BG1, constant_BG1))
    a_B1T, b_B1T, c_B1T = as_rows(factors_3BGD.view(3, batch, channels).to(x_BRT.dtype), x_BRT)
    of_x_BRT = torch.addcmul(c_B1T, slope_BRT, a_B1T).addcmul_(x_BRT, b_B1T)
    of_x_BCHW = of_x_BRT.view(batch, height, width, channels).movedim(3, 1)
    return of_x_BCHW, product_BGD.sum(0).view(-1), slope_BGD.sum(0).view(-1)


def _sum(x_BRT: Tensor, weight_GD: Tensor, height: int) -> Tensor:
    """The sum over the pixels, (B, G, D), fp32.

    That over some rows is rounded to the type of `x_BRT`, once for each part of the image.
    """
    batch, count, size = x_BRT.shape
    parts = math.gcd(count, PARTS)
    if parts < PARTS:  # an odd height has no such divisor
        parts = math.gcd(count, height)
    sums_BPT = x_BRT.view(batch, parts, count // parts, size).sum(2)
    return sums_BPT.view(batch, -1, *weight_GD.shape).sum(1, dtype=torch.float32)
