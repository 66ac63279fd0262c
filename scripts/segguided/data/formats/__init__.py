"""File formats, each read as a Volume turned to LPS (orientation.py); they know files, and no dataset."""
