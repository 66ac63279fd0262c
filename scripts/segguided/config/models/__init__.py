"""Settings of the models and of their training, one kind of model a module."""
