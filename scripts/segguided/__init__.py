"""Mask-guided medical image generation and its evaluation (Konz et al., MICCAI 2024)."""
