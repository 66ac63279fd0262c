"""Networks that compute faster on a CPU: in channels_last order, with norms that keep it."""
