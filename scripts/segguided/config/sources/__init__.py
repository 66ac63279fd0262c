"""Settings of the datasets that are fetched, and what every source has in common."""
