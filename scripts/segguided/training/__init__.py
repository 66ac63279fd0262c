"""The training loop and all that serves it."""
