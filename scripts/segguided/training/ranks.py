"""The processes that train one network together, one for each GPU: their numbers, and what they exchange.

In a process that trains alone nothing here communicates, and every value comes back unchanged.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor


def join(rank: int, count: int, store: dist.Store, patience: timedelta) -> None:
    """Become process `rank` of `count`, on the accelerator of that number if there are any.

    Tensors on the CPU travel by gloo, those on an accelerator by its own library (NCCL for CUDA).
    """
    backend = "gloo"
    if torch.accelerator.is_available():
        torch.accelerator.set_device_index(rank)
        device = torch.accelerator.current_accelerator().type
        backend = f"cpu:gloo,{device}:{dist.get_default_backend_for_device(device)}"
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=patience)


def leave() -> None:
    """Leave the other processes when all of them are ready to."""
    wait_for_all()
    dist.destroy_process_group()


def is_shared() -> bool:
    """Whether several processes train together."""
    return dist.is_available() and dist.is_initialized()


def count() -> int:
    """Number of processes."""
    return dist.get_world_size() if is_shared() else 1


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if is_shared() else 0


def is_first() -> bool:
    """Whether this is the process that logs, writes files and keeps the time."""
    return rank() == 0


def own_share(batch: Tensor) -> Tensor:
    """This process's rows of a batch that all have: consecutive rows, shared as evenly as possible."""
    return batch.tensor_split(count())[rank()]


def sum_tensors(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of one shape on the training device, each summed over the processes; nothing waits for it."""
    if not is_shared():
        return dict(values)
    sums = torch.stack(list(values.values()))
    dist.all_reduce(sums)
    return dict(zip(values, sums.unbind(), strict=True))


def gather(values: Tensor) -> Tensor:
    """The tensors, of one shape, of all processes: stacked in the order of the processes' numbers."""
    if not is_shared():
        return values[None]
    gathered = [torch.empty_like(values) for _ in range(count())]
    dist.all_gather(gathered, values)
    return torch.stack(gathered)


# What follows is exchanged on the CPU: no accelerator is waited for.


def sum_over_processes(value: int) -> int:
    """The sum of the processes' values."""
    return _reduced(value, dist.ReduceOp.SUM)


def max_over_processes(value: int) -> int:
    """The largest of the processes' values."""
    return _reduced(value, dist.ReduceOp.MAX)


def wait_for_all() -> None:
    """Wait until every process has come to this point."""
    max_over_processes(0)


@contextmanager
def in_turn() -> Iterator[None]:
    """One process after another: for steps that need much memory for a moment."""
    for turn in range(count()):
        if turn == rank():
            yield
        wait_for_all()


def _reduced(value: int, operation: dist.ReduceOp) -> int:
    if not is_shared():
        return value
    reduced = torch.tensor(value)
    dist.all_reduce(reduced, operation)
    return int(reduced)


def check_shareable(batch_size: int) -> None:
    """Raise ValueError if more processes train together than a batch has slices."""
    if batch_size < count():
        raise ValueError(
            f"a batch of {batch_size} slices cannot be shared by {count()} GPUs; ask for at most {batch_size}"
        )
