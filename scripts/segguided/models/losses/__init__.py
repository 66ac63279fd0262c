"""Losses that compare predicted or generated images with real ones."""
