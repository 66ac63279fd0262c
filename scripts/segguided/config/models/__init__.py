"""Settings of the models and of their training."""
