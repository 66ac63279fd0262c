"""Generating images with trained models; a change here retrains nothing."""
