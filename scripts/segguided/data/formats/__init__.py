"""File formats: they know files, and no dataset."""
