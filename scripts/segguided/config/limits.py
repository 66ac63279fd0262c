"""Limits that the configuration and the files share."""

MOST_CHANNELS = 4  # of an image: a picture file of 8-bit pixels holds no more
