"""Parts of samplers that diffusers lacks: fresh noise at each step, masks ablated at each step, cuts; any model's sampler."""
