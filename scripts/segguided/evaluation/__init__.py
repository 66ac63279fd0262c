"""Measures: dice with its interval, distances, likeness, variation; records, from which tables are made."""
