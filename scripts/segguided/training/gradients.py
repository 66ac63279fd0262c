"""Gradients summed over the processes that share a batch."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn

from segguided.training import ranks

BUCKET_BYTES = 25 << 20  # summed at once


class SharedGradients:
    """Sums the processes' gradients, bucket by bucket, while the backward pass still runs.

    torch's DistributedDataParallel does not fit. It fills its buckets anew after a process's first step. That
    changes the order of additions, so a run on three GPUs or more would not resume to the same bits. It also
    owns the forward call, and an autoencoder has two of them.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        self._buckets = _buckets(trained[::-1]) if ranks.is_shared() else []  # the last layer is ready first
        self._bucket_of = {p: number for number, bucket in enumerate(self._buckets) for p in bucket}
        self._missing: list[int] = []  # by bucket: parameters whose gradients are not ready
        self._next_bucket = 0
        self._sent: list[dist.Work] = []
        self._in_last_pass = False
        for parameter in self._bucket_of:
            parameter.register_post_accumulate_grad_hook(self._on_ready)

    @contextmanager
    def summing(self) -> Iterator[None]:
        """Around the last backward pass of a batch: after it, `.grad` holds the sums over all processes."""
        self._in_last_pass = True
        self._next_bucket = 0
        self._missing = [len(bucket) for bucket in self._buckets]
        try:
            yield
        finally:
            self._in_last_pass = False
        self._send(to=len(self._buckets))  # the rest: buckets in which some parameters were not used
        for work in self._sent:
            work.wait()
        self._sent = []

    def _on_ready(self, parameter: nn.Parameter) -> None:
        if self._in_last_pass:
            self._missing[self._bucket_of[parameter]] -= 1
            unfinished = (number for number, missing in enumerate(self._missing) if missing)
            self._send(to=next(unfinished, len(self._missing)))

    def _send(self, to: int) -> None:
        """Start to sum the buckets before number `to`, in order, so that all processes sum the same one."""
        for bucket in self._buckets[self._next_bucket : to]:
            if ready := [parameter for parameter in bucket if parameter.grad is not None]:
                self._sent.append(_start_sum(ready))
        self._next_bucket = max(self._next_bucket, to)


def _buckets(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """The parameters in their order, in lists of about BUCKET_BYTES each."""
    buckets: list[list[nn.Parameter]] = []
    room = 0
    for parameter in parameters:
        if room <= 0:
            buckets.append([])
            room = BUCKET_BYTES
        buckets[-1].append(parameter)
        room -= parameter.nbytes
    return buckets


def _start_sum(parameters: Sequence[nn.Parameter]) -> dist.Work:
    """Turn the gradients into views of one tensor, and start to sum that over the processes."""
    flat = torch.cat([p.grad.flatten() for p in parameters])
    for p, piece in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        p.grad = piece.view_as(p)
    return dist.all_reduce(flat, async_op=True)
