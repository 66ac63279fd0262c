"""The networks, their losses, and how each is trained."""
