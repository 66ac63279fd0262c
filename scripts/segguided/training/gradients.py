"""Gradients added up over the processes that share a batch."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn

from segguided.training import ranks

BUCKET_BYTES = 25 << 20  # added up at once


class SharedGradients:
    """Adds the processes' gradients, bucket by bucket, while the backward pass still runs.

    Not DistributedDataParallel: it fills its buckets anew after a process's first step, which changes the
    order of additions, so that a run on three GPUs or more would not resume to the same bits; and it owns the
    forward call, where an autoencoder has two.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        self._buckets = _buckets(trained[::-1]) if ranks.together() else []  # the last layer is ready first
        self._bucket_of = {p: number for number, bucket in enumerate(self._buckets) for p in bucket}
        self._missing: list[int] = []  # parameters by bucket
        self._next, self._sent = 0, list[dist.Work]()
        self._open = False
        for parameter in self._bucket_of:
            parameter.register_post_accumulate_grad_hook(self._on_ready)

    @contextmanager
    def adding(self) -> Iterator[None]:
        """The backward pass of a process's last part, inside, leaves the sums of all processes in `.grad`."""
        self._open, self._next, self._missing = True, 0, [len(bucket) for bucket in self._buckets]
        try:
            yield
        finally:
            self._open = False
        self._send(to=len(self._buckets))  # those with parameters that played no part
        for work in self._sent:
            work.wait()
        self._sent = []

    def _on_ready(self, parameter: nn.Parameter) -> None:
        if self._open:
            self._missing[self._bucket_of[parameter]] -= 1
            self._send(
                to=next(
                    (number for number, missing in enumerate(self._missing) if missing), len(self._missing)
                )
            )

    def _send(self, to: int) -> None:
        """Start to add all buckets before `to`: in order, so that the processes' buckets meet."""
        for bucket in self._buckets[self._next : to]:
            if ready := [parameter for parameter in bucket if parameter.grad is not None]:
                self._sent.append(_add_up(ready))
        self._next = max(self._next, to)


def _buckets(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    buckets: list[list[nn.Parameter]] = []
    room = 0
    for parameter in parameters:
        if room <= 0:
            buckets.append([])
            room = BUCKET_BYTES
        buckets[-1].append(parameter)
        room -= parameter.nbytes
    return buckets


def _add_up(parameters: Sequence[nn.Parameter]) -> dist.Work:
    """Make the gradients views of one tensor, and start to sum it over the processes."""
    flat = torch.cat([p.grad.flatten() for p in parameters])
    for p, piece in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        p.grad = piece.view_as(p)
    return dist.all_reduce(flat, async_op=True)
