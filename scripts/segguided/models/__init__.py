"""The networks, each with the losses it is trained with."""
