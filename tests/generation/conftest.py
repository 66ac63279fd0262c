"""Fixtures that modules here use; the first is used by all."""

from support.on_gpu import deterministic_kernels
from support.partial_sets import similar_sets, trained

__all__ = ["deterministic_kernels", "similar_sets", "trained"]
