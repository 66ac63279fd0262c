"""The fixture that all modules here use."""

from support.on_gpu import deterministic_kernels

__all__ = ["deterministic_kernels"]
