"""Fixtures that several modules here use."""

import pytest

from support.on_gpu import deterministic_kernels
from support.two_levels import write_two_levels

__all__ = ["deterministic_kernels"]


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """A slice file whose masks may show either of two grey levels."""
    return write_two_levels(tmp_path_factory.mktemp("slices"))
