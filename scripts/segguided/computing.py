"""How a script computes: on how many CPU threads, and whether a GPU gives the same bits each time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils import deterministic as torch_deterministic

from segguided.compiling import Compiling, compiling

# cuBLAS gives the same bits each time only with a workspace of its own for each stream: 8 buffers of 4 MiB.
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
WORKSPACE_SIZES = ":4096:8"
REFUSAL = "deterministic"  # in each of torch's errors about an operation that has no deterministic kernel


@contextmanager
def computing(threads: int, deterministic: bool, choice: Compiling = Compiling.NEVER) -> Iterator[None]:
    """A context that computes on so many CPU threads; `deterministic`: with CUDA's deterministic kernels.

    `choice`: whether networks are compiled.

    Enter it before CUDA starts, because cuBLAS reads its workspace's size only then. On a CPU,
    `deterministic` changes nothing. Raises ValueError where an operation has no deterministic kernel.
    """
    torch.set_num_threads(threads)
    if not deterministic or not torch.cuda.is_available():
        with compiling(choice):
            yield
        return
    _choose_deterministic_kernels()
    try:
        with compiling(choice):
            yield
    except RuntimeError as error:
        raise _explained(error) from error
    finally:
        torch.use_deterministic_algorithms(False)


def _choose_deterministic_kernels() -> None:
    os.environ.setdefault(WORKSPACE, WORKSPACE_SIZES)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False  # it times kernels and keeps the fastest, not the same each time
    # It writes NaN into each new tensor, to find code that reads what it never wrote. This costs time.
    torch_deterministic.fill_uninitialized_memory = False


def _explained(error: RuntimeError) -> Exception:
    """What to raise for an error: a sentence where torch refused an operation, else the error itself."""
    reason, _, _ = str(error).partition(", ")
    if REFUSAL not in reason.lower():
        return error
    return ValueError(
        f"with `deterministic: true`, PyTorch {torch.__version__} refused an operation on "
        f"{torch.cuda.get_device_name()}: {reason}; set deterministic: false"
    )
