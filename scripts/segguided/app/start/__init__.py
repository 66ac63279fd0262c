"""A first configuration for a folder of one's own images and label maps."""
