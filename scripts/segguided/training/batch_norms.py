"""Batch norms over the images of all processes that share a batch.

torch's SyncBatchNorm refuses tensors on the CPU. This one takes both, so that tests without a GPU run what
GPUs run. Shape letters: B batch, C channels, H height, W width, P processes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from segguided.training import ranks

PIXELS = (0, 2, 3)  # dimensions of (B, C, H, W) over which a batch norm takes its statistics


class SharedBatchNorm(nn.BatchNorm2d):
    """A batch norm without weights. In training, its statistics are those of all processes' images together.

    Each process must call it equally often, with at least one image.
    """

    def forward(self, input: Tensor) -> Tensor:
        """The normalised maps (B, C, H, W) of this process's images."""
        if not self.training:
            return super().forward(input)
        normalised_BCHW, mean_C, variance_C, count = _Normalise.apply(input, self.eps)
        self._remember(mean_C, variance_C * count / (count - 1))
        return normalised_BCHW

    @torch.no_grad()
    def _remember(self, mean_C: Tensor, variance_C: Tensor) -> None:
        """Take the batch's statistics into the running ones, as torch's batch norm does."""
        assert self.momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(variance_C, self.momentum)


class _Normalise(torch.autograd.Function):
    """y = (x − mean) / σ, with σ² = variance + eps; mean and variance are over the images of all processes.

    With the loss L, summed over all processes, N values a channel and g = ∂L/∂y,
        ∂L/∂x = (g − Σg/N − y · Σ(g·y)/N) / σ.
    """

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The normalised maps; mean and variance of each channel, and the number of values in them."""
        mean_C, variance_C, count = _statistics(x_BCHW)
        ctx.save_for_backward(x_BCHW, mean_C, (variance_C + eps).rsqrt(), count)
        ctx.mark_non_differentiable(mean_C, variance_C, count)
        return functional.batch_norm(x_BCHW, mean_C, variance_C, eps=eps), mean_C, variance_C, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_BCHW: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        """∂L/∂x of this process's images."""
        x_BCHW, mean_C, scale_C, count = ctx.saved_tensors
        g_BCHW = gradient_BCHW.float()
        y_BCHW = (x_BCHW.float() - _per_channel(mean_C)) * _per_channel(scale_C)
        sums = ranks.sum_tensors({"g": g_BCHW.sum(PIXELS), "gy": (g_BCHW * y_BCHW).sum(PIXELS)})
        centred_BCHW = g_BCHW - _per_channel(sums["g"] / count) - y_BCHW * _per_channel(sums["gy"] / count)
        return (centred_BCHW * _per_channel(scale_C)).to(x_BCHW.dtype), None


def _statistics(x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of each channel over all processes' images, and the number of values in them."""
    variance_C, mean_C = torch.var_mean(x_BCHW.float(), PIXELS, correction=0)
    count_C = torch.full_like(mean_C, x_BCHW.numel() / len(mean_C))
    means_PC, variances_PC, counts_PC = ranks.gather(torch.stack([mean_C, variance_C, count_C])).unbind(1)
    shares_PC = counts_PC / counts_PC.sum(0)
    mean_C = (shares_PC * means_PC).sum(0)
    variance_C = (shares_PC * (variances_PC + (means_PC - mean_C).square())).sum(0)
    return mean_C, variance_C, counts_PC[:, 0].sum()


def _per_channel(values_C: Tensor) -> Tensor:
    return values_C.view(1, -1, 1, 1)


def share_batch_norms(network: nn.Module) -> None:
    """Where several processes train together, let the batch norms of `network` see the images of all."""
    if ranks.is_shared():
        _replace_batch_norms(network, SharedBatchNorm)


def separate_batch_norms(network: nn.Module) -> None:
    """Undo `share_batch_norms`: each process's batch norms see its own images."""
    if ranks.is_shared():
        _replace_batch_norms(network, nn.BatchNorm2d)


def _replace_batch_norms(network: nn.Module, kind: type[nn.BatchNorm2d]) -> None:
    """Give each batch norm another class; it keeps its running statistics."""
    for parent in list(network.modules()):
        for name, norm in parent.named_children():
            if isinstance(norm, nn.BatchNorm2d):
                assert not norm.affine
                replacement = kind(norm.num_features, norm.eps, norm.momentum, affine=False)
                replacement.to(norm.running_mean.device).load_state_dict(norm.state_dict())
                setattr(parent, name, replacement.train(norm.training))
