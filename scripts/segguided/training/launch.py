"""Starts the processes that train together on one node, passes signals on, and says what ended them."""

import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from multiprocessing import connection
from multiprocessing.process import BaseProcess

import torch
import torch.distributed as dist
from torch.multiprocessing import ProcessExitedException, start_processes
from tqdm import tqdm

from segguided.cli import Arguments, Interrupted, framed
from segguided.training import ranks
from segguided.training.watching import in_watched_process

LOG = logging.getLogger("segguided")
HOST = "127.0.0.1"  # one node
GRACE_SECONDS = 5.0  # after a process failed, until the others get SIGTERM, and again until SIGKILL
PATIENCE = timedelta(minutes=30)  # how long one process waits for another, which may be writing a file
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def on_gpus(function: Callable[..., None], arguments: Arguments) -> None:
    """Call `function`: in this process for one GPU, else in `gpus` processes that share each batch.

    They share the CPU `threads` too. `function` must be importable. SIGINT, SIGTERM and SIGUSR1 are passed
    on. Once a process fails, the others end within seconds, and this one exits with the same code. Raises
    ValueError if there are fewer GPUs, ChildProcessError for a killed process, and Interrupted for a signal
    before training began.
    """
    gpus: int = arguments.pop("gpus")
    if gpus == 1:
        in_watched_process(function, arguments)
        return
    _check(gpus)
    LOG.info("%d processes share each batch", gpus)
    store = dist.TCPStore(HOST, 0, is_master=True, wait_for_workers=False)  # port 0: a free one
    with _forwarding() as (received, processes):
        context = start_processes(_run_rank, (function, arguments, gpus, store.port), gpus, join=False)
        processes.extend(context.processes)
        for number in received:
            _send(number, processes)
        codes = _wait(processes)
        if any(number < 0 for number in codes.values()):
            _is_first_to_fail(store)  # claimed here, because the others fail only as a consequence
        with suppress(ProcessExitedException):
            while not context.join(grace_period=GRACE_SECONDS):
                pass
    _conclude(codes, received, gpus)


def _check(gpus: int) -> None:
    """Raise ValueError if there are fewer GPUs. Without any accelerator, all processes train on the CPU."""
    if gpus < 1:
        raise ValueError(f"expected one GPU or more, got --gpus {gpus}")
    visible = torch.accelerator.device_count()
    if torch.accelerator.is_available() and visible < gpus:
        chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
        limited = f" (CUDA_VISIBLE_DEVICES={chosen})" if chosen else ""
        raise ValueError(
            f"{gpus} GPUs were asked for, but {visible} can be seen{limited}; "
            "ask for fewer, --set-resources RULE:gpu=N, or for a node that has them"
        )


@contextmanager
def _forwarding() -> Iterator[tuple[list[int], list[BaseProcess]]]:
    """Pass signals on. Yields the list of signals received, and a list to be filled with the processes."""
    received: list[int] = []
    processes: list[BaseProcess] = []

    def forward(number: int, _frame: object) -> None:
        received.append(number)
        _send(number, processes)

    previous_handlers = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        yield received, processes
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)


def _send(number: int, processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        if process.is_alive() and process.pid:
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _wait(processes: Sequence[BaseProcess]) -> dict[int, int]:
    """Wait until a process has failed or all have ended; the exit codes by rank that are not 0."""
    while True:
        codes = {rank: process.exitcode for rank, process in enumerate(processes)}
        failed = {rank: code for rank, code in codes.items() if code}
        running = [processes[rank].sentinel for rank, code in codes.items() if code is None]
        if failed or not running:
            return failed
        connection.wait(running)


def _conclude(codes: dict[int, int], received: Sequence[int], count: int) -> None:
    """End with the error or exit code of the processes that failed first; they wrote their own messages."""
    for rank, code in codes.items():
        if -code in received:
            name = signal.Signals(-code).name
            raise Interrupted(
                f"{name} before training began: nothing was lost, the same command starts again"
            )
        if code < 0:
            raise ChildProcessError(
                f"process {rank + 1} of {count} was killed by {signal.Signals(-code).name} (SIGKILL may mean "
                "that memory ran out); the same command continues from the last save"
            )
    if codes:
        sys.exit(max(codes.values()))


def _run_rank(rank: int, function: Callable[..., None], arguments: Arguments, gpus: int, port: int) -> None:
    """The body of one of the processes. Of several that fail, only the first says why."""
    store = dist.TCPStore(HOST, port, is_master=False)
    try:
        framed(partial(_take_part, rank, function, arguments, gpus, store))
    except SystemExit as stop:
        if isinstance(stop.code, int) or _is_first_to_fail(store):
            raise
        sys.exit(1)
    except Exception:
        time.sleep(GRACE_SECONDS / 10)  # if another process was killed, that is the cause
        if _is_first_to_fail(store):
            traceback.print_exc()
        sys.exit(1)


def _take_part(
    rank: int, function: Callable[..., None], arguments: Arguments, gpus: int, store: dist.Store
) -> None:
    """Join the other processes, call `function`, and leave."""
    if rank > 0:
        LOG.setLevel(logging.ERROR)
    tqdm.set_lock(threading.RLock())  # its own lock is a system semaphore, which outlives a killed process
    threads = max(1, arguments["threads"] // gpus)
    ranks.join(rank, gpus, store, PATIENCE)
    try:
        in_watched_process(function, {**arguments, "threads": threads})
    except Interrupted:
        ranks.leave()
        raise
    ranks.leave()


def _is_first_to_fail(store: dist.Store) -> bool:
    return store.add("failed", 1) == 1
