"""Parts of samplers that diffusers lacks: noise, ablated masks, cuts; and the sampler of any model."""
