"""The processes that train one network together, one a GPU: who they are, and what they agree on.

In a process that trains alone nothing here communicates, and everything comes back as it was given.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor


def join(number: int, count: int, store: dist.Store, patience: timedelta) -> None:
    """Become process `number` of `count`, on the accelerator of that number where there are any.

    What lies on the CPU goes by gloo, what lies on an accelerator by its own library (NCCL for CUDA).
    """
    backend = "gloo"
    if torch.accelerator.is_available():
        torch.accelerator.set_device_index(number)
        device = torch.accelerator.current_accelerator().type
        backend = f"cpu:gloo,{device}:{dist.get_default_backend_for_device(device)}"
    dist.init_process_group(backend, store=store, rank=number, world_size=count, timeout=patience)


def leave() -> None:
    """Part from the others when all are ready to."""
    wait()
    dist.destroy_process_group()


def together() -> bool:
    """Whether this process trains with others."""
    return dist.is_available() and dist.is_initialized()


def count() -> int:
    """Number of processes."""
    return dist.get_world_size() if together() else 1


def number() -> int:
    """This one's number, from 0."""
    return dist.get_rank() if together() else 0


def is_first() -> bool:
    """Whether this is the process that logs, writes files and keeps the time."""
    return number() == 0


def share(batch: Tensor) -> Tensor:
    """This process's rows of a batch that all hold: consecutive, in numbers that differ by one at most."""
    return batch.tensor_split(count())[number()]


def added_up(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Scalars on the training device, each summed over the processes; the device is not waited for."""
    if not together():
        return dict(values)
    sums = torch.stack(list(values.values()))
    dist.all_reduce(sums)
    return dict(zip(values, sums.unbind(), strict=True))


def total(value: int) -> int:
    """The sum of the processes' values. From here on all goes by CPU: no accelerator is waited for."""
    return _agreed(value, dist.ReduceOp.SUM)


def highest(value: int) -> int:
    """The highest of the processes' values."""
    return _agreed(value, dist.ReduceOp.MAX)


def wait() -> None:
    """Until every process has come to this point."""
    highest(0)


@contextmanager
def in_turn() -> Iterator[None]:
    """One process after another: for what needs much memory for a moment."""
    for turn in range(count()):
        if turn == number():
            yield
        wait()


def _agreed(value: int, operation: dist.ReduceOp) -> int:
    if not together():
        return value
    agreed = torch.tensor(value)
    dist.all_reduce(agreed, operation)
    return int(agreed)
