"""Generates images with trained models. A change here retrains nothing."""
