"""Fixtures that modules here use."""

from support.partial_sets import trained

__all__ = ["trained"]
