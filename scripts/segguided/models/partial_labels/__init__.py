"""Losses of masks that lack the annotation of a class."""
