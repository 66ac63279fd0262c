"""Figures: panels (1), comparison (2 and 5), partial_masks (3 and 6), similarity (4), and what they share."""
