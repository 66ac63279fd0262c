"""Copies of a training's state in the machine's memory: a file of them is written while training goes on."""

import copy
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor


def is_on_gpu(state: object) -> bool:
    """Whether any tensor of a state is on a CUDA device; on others a copy would need the memory twice."""
    return any(tensor.device.type == "cuda" for tensor in _tensors(state))


def snapshot(state: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a state with its tensors on the CPU. What shared memory or was the same object still is.

    From a GPU the copy is page-locked, as fast as the bus; torch keeps that memory for the next one.
    """
    memory: dict[int, torch.UntypedStorage] = {}
    copies: dict[int, Any] = {}
    for tensor in _tensors(state):
        source = tensor.untyped_storage()
        key = source._cdata
        if key not in memory:
            memory[key] = _copied(source, tensor.device)
        made = torch.empty(0, dtype=tensor.dtype)
        made.set_(memory[key], tensor.storage_offset(), tensor.shape, tensor.stride())
        copies[id(tensor)] = made
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return dict(copy.deepcopy(state, copies))


def _copied(source: torch.UntypedStorage, device: torch.device) -> torch.UntypedStorage:
    """The bytes of a storage; from a GPU they are complete only after the device was waited for."""
    try:
        target = torch.empty(source.nbytes(), dtype=torch.uint8, pin_memory=device.type == "cuda")
    except RuntimeError:  # the machine locks no more pages
        target = torch.empty(source.nbytes(), dtype=torch.uint8)
    target.copy_(torch.empty(0, dtype=torch.uint8, device=device).set_(source), non_blocking=True)
    return target.untyped_storage()


def _tensors(state: object) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, Mapping):
        for value in state.values():
            yield from _tensors(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from _tensors(value)


class BackgroundWork:
    """At most one call in a thread. Who asks gets its error; the end of the process waits for it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._call: Future[None] | None = None

    def start(self, call: Any, *arguments: Any) -> None:
        """Begin a call; `finish` the one before first."""
        assert self._call is None
        self._call = self._thread.submit(call, *arguments)

    def check(self) -> None:
        """Raise the error of a call that has ended with one; wait for nothing."""
        if self._call and self._call.done():
            self.finish()

    def finish(self) -> None:
        """Wait for the call under way, if there is one, and raise its error."""
        call = self._call
        self._call = None
        if call:
            call.result()
