"""What a value of the configuration may be, and how a wrong one is told."""
