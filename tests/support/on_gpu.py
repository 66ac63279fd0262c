"""Tests where there is a GPU: what they prove bit for bit on a CPU, they prove with deterministic kernels."""

from collections.abc import Iterator

import pytest
import torch

from segguided.computing import computing

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA")


@pytest.fixture(autouse=True)
def deterministic_kernels() -> Iterator[None]:
    """Each test runs with `deterministic: true`, which on a CPU changes nothing."""
    with computing(torch.get_num_threads(), deterministic=True):
        yield
