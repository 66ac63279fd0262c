"""Fixtures that several modules here use."""

from support.partial_sets import similar_sets, trained

__all__ = ["similar_sets", "trained"]
