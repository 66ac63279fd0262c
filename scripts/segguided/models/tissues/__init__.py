"""Tissues: the classes of masks divided by grey value, and networks that draw where the parts lie."""
