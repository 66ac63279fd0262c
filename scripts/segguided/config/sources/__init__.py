"""Settings of the sources of patients, one kind of source a module, and what all sources have in common."""
