"""What compiled networks compute on a GPU in channels_last order, the one that cuDNN's convolutions want.

torch's group norm and instance norm return the other order, so that each convolution copies its input. The
norms below are sums over each channel's pixels and a scale and a shift of each channel, which Inductor fuses
with what is around them. Only their last bits differ from torch's.
Shape letters: N images, C channels, G groups; tensors of images are (N, C, H, W) or (N, C, L).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

ORDER = torch.channels_last


class ChannelsLast(TorchFunctionMode):
    """A context in which a network's convolutions and norms keep the channels_last order.

    Weights, their gradients and `state_dict` stay in the order that they have. It is to be traced by
    torch.compile: run as it is, it is slower than the plain network.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        named: dict[str, Any] | None = None,
    ) -> Any:
        """Compute `function`, or what replaces it."""
        named = named or {}
        if function is torch.conv2d:
            return _convolution(*arguments, **named)
        if function is functional.group_norm:
            return group_norm(*arguments, **named)
        if function is functional.instance_norm:
            return _instance_norm(*arguments, **named)
        if function is functional.interpolate and _doubles(*arguments, **named):
            return _doubled(arguments[0])
        if function is Tensor.contiguous and not named and _keeps_order(*arguments):
            return arguments[0]
        return function(*arguments, **named)


def _convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None, *others: Any, **named: Any) -> Tensor:
    """torch.conv2d of both in channels_last order. The weights' copy is fused with autocast's cast to bf16.

    The bias is added apart, so that Inductor fuses it with what follows; cuDNN would not do it either.
    """
    result = torch.conv2d(
        x.contiguous(memory_format=ORDER), weight.contiguous(memory_format=ORDER), None, *others, **named
    )
    return result if bias is None else result + bias.to(result.dtype).view(-1, 1, 1)


def _keeps_order(x: Tensor, *order: torch.memory_format) -> bool:
    """Whether `contiguous()`, which diffusers calls before some convolutions, would only lose the order."""
    return not order and x.dim() == 4 and x.is_contiguous(memory_format=ORDER)


def _doubles(
    x: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", **_named: Any
) -> bool:
    """Whether `interpolate` makes 2×2 pixels of each."""
    return x.dim() == 4 and size is None and scale_factor == 2 and mode == "nearest"


def _doubled(x_NCHW: Tensor) -> Tensor:
    """Each pixel as 2×2, (N, C, 2H, 2W). Inductor adds the gradient of torch's own up atomically: slowly."""
    n, channels, height, width = x_NCHW.shape
    pixels = x_NCHW.permute(0, 2, 3, 1)[:, :, None, :, None]
    doubled = pixels.expand(n, height, 2, width, 2, channels).reshape(n, 2 * height, 2 * width, channels)
    return doubled.permute(0, 3, 1, 2)


def group_norm(
    x_NC: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """torch.nn.functional.group_norm of (N, C, H, W) or (N, C, L), in the order that `x_NC` has.

    Under autocast the result is fp32, like torch's.
    """
    wide = torch.promote_types(x_NC.dtype, torch.float32)
    weight_C = x_NC.new_ones(x_NC.shape[1], dtype=wide) if weight is None else weight.to(wide)
    bias_C = x_NC.new_zeros(x_NC.shape[1], dtype=wide) if bias is None else bias.to(wide)
    normed_NC: Tensor = _GroupNorm.apply(x_NC, weight_C, bias_C, groups, eps)
    return normed_NC if torch.is_autocast_enabled(x_NC.device.type) else normed_NC.to(x_NC.dtype)


def _instance_norm(
    x_NC: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """torch.nn.functional.instance_norm: replaced where the images' own statistics are all that it uses."""
    if running_mean is not None or not use_input_stats:
        return functional.instance_norm(
            x_NC, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
        )
    return group_norm(x_NC, x_NC.shape[1], weight, bias, eps).to(x_NC.dtype)


class _GroupNorm(torch.autograd.Function):
    """One pass over the image for its sums and one for the result, and the same for the gradient.

    torch's own gradient of a variance computes the mean again, in one more pass.
    """

    @staticmethod
    def forward(ctx: Any, x_NC: Tensor, weight_C: Tensor, bias_C: Tensor, groups: int, eps: float) -> Tensor:
        wide_NC = x_NC.to(weight_C.dtype)
        mean_NG, variance_NG = _statistics(wide_NC, groups)
        inverse_NG = (variance_NG + eps).rsqrt()
        scale_NC = _of_channels(inverse_NG, weight_C)
        shift_NC = bias_C - _of_channels(mean_NG * inverse_NG, weight_C)
        ctx.save_for_backward(x_NC, weight_C, mean_NG, inverse_NG)
        return wide_NC * _over_pixels(scale_NC, x_NC) + _over_pixels(shift_NC, x_NC)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """With x̂ the normed image, σ⁻¹ `inverse`: dx = σ⁻¹·(w·dy − mean(w·dy) − x̂·mean(w·dy·x̂))."""
        x_NC, weight_C, mean_NG, inverse_NG = ctx.saved_tensors
        slope_NC = gradients[0].to(weight_C.dtype)
        wide_NC = x_NC.to(weight_C.dtype)
        n, groups = mean_NG.shape
        pixels = tuple(range(2, x_NC.dim()))
        ones_C = torch.ones_like(weight_C)
        centred_NC = wide_NC - _over_pixels(_of_channels(mean_NG, ones_C), x_NC)
        sum_NC = slope_NC.sum(pixels)
        product_NC = (centred_NC * slope_NC).sum(pixels) * _of_channels(inverse_NG, ones_C)
        size = x_NC[0].numel() // groups
        mean_slope_NG = (sum_NC * weight_C).view(n, groups, -1).sum(2) / size
        mean_product_NG = (product_NC * weight_C).view(n, groups, -1).sum(2) / size
        scale_NC = _of_channels(inverse_NG, weight_C)
        of_centred_NC = _of_channels(inverse_NG.square() * mean_product_NG, ones_C)
        constant_NC = _of_channels(
            inverse_NG * mean_slope_NG - mean_NG * inverse_NG.square() * mean_product_NG, ones_C
        )
        # The image comes first: its order, not the gradient's, is that of the result.
        of_x_NC = (
            wide_NC * _over_pixels(-of_centred_NC, x_NC)
            + slope_NC * _over_pixels(scale_NC, x_NC)
            - _over_pixels(constant_NC, x_NC)
        )
        return of_x_NC.to(x_NC.dtype), product_NC.sum(0), sum_NC.sum(0), None, None


def _statistics(x_NC: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of each group, (N, G) each, from those of its channels.

    The mean of their variances plus the variance of their means stays right where the mean is far larger.
    """
    variance_NC, mean_NC = torch.var_mean(x_NC, tuple(range(2, x_NC.dim())), correction=0)
    mean_NGC = mean_NC.view(x_NC.shape[0], groups, -1)
    mean_NG = mean_NGC.mean(2)
    of_means_NG = (mean_NGC - mean_NG[..., None]).square().mean(2)
    return mean_NG, variance_NC.view_as(mean_NGC).mean(2) + of_means_NG


def _of_channels(x_NG: Tensor, weight_C: Tensor) -> Tensor:
    """A group's value for each of its channels, times the channel's weight: (N, C)."""
    n, groups = x_NG.shape
    return (x_NG[..., None] * weight_C.view(groups, -1)).view(n, -1)


def _over_pixels(x_NC: Tensor, image_NC: Tensor) -> Tensor:
    """(N, C, 1, 1), with as many dimensions as the image. as_strided: so that Inductor computes it once."""
    stored_NC = x_NC.as_strided(x_NC.shape, x_NC.stride())
    return stored_NC.view(*x_NC.shape, *(1,) * (image_NC.dim() - 2))
