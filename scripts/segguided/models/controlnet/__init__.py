"""The ControlNet family: autoencoder, latent diffusion, control."""
