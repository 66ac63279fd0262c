"""Sampling in very few steps: x̂0 from noise, noise again to the next t, x̂0 again (sampler `renoise`).

This is multistep sampling of consistency models (Song et al., ICML 2023, algorithm 1), for any network that
predicts x0 and whose predictions vary as images do.
Shape letters: B batch, C image channels (1), H height, W width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from segguided.config.models.diffusion import DenoiserSettings
from segguided.generation.sampling import initial_noise, noise_of
from segguided.models.diffusion import Denoiser, noise_schedule


class Renoiser:
    """Samples x0 in `steps` calls, each from noise that is a function of (seed, mask id, number of the call).

    Raises ValueError for a model that does not predict x0, and for more steps than its schedule has.
    """

    def __init__(self, model: DenoiserSettings, steps: int, seed: int) -> None:
        if model.prediction_type != "sample":
            raise ValueError(
                f"the sampler renoise needs a model that predicts x0 (prediction_type: sample), got "
                f"{model.prediction_type}; choose ddim or dpm-solver++"
            )
        self.forward = noise_schedule(model)
        self.timesteps = renoising_timesteps(steps, model.schedule.timesteps)
        self.seed = seed

    @torch.inference_mode()
    def sample(self, denoiser: Denoiser, masks_BHW: Tensor, names: Sequence[str]) -> Tensor:
        """x0 (B, C, H, W) in [-1, 1] under the same mask at every step."""
        size = masks_BHW.shape[-1]
        x_BCHW = initial_noise(self.seed, names, size).to(masks_BHW.device)
        x0_BCHW = self.predict(denoiser, x_BCHW, self.timesteps[0], masks_BHW)
        for number, t in enumerate(self.timesteps[1:], start=1):
            eps_BCHW = fresh_noise(self.seed, names, number, size).to(masks_BHW.device)
            x_BCHW = self.add_noise(x0_BCHW, eps_BCHW, t)
            x0_BCHW = self.predict(denoiser, x_BCHW, t, masks_BHW)
        return x0_BCHW

    def add_noise(self, x0_BCHW: Tensor, eps_BCHW: Tensor, t: int) -> Tensor:
        """x_t of x0 with the noise eps."""
        return self.forward.add_noise(
            x0_BCHW, eps_BCHW, torch.full((len(x0_BCHW),), t, device=x0_BCHW.device)
        )

    def predict(self, denoiser: Denoiser, x_BCHW: Tensor, t: int, masks_BHW: Tensor) -> Tensor:
        """x̂0 of one call, cut to [-1, 1]."""
        t_B = torch.full((len(x_BCHW),), t, device=x_BCHW.device)
        return denoiser(x_BCHW, t_B, masks_BHW).float().clamp(-1, 1)


def renoising_timesteps(steps: int, timesteps: int) -> list[int]:
    """The times of the calls, evenly spaced, from the noisiest down. Raises ValueError for too many steps."""
    if steps > timesteps:
        raise ValueError(f"sampling.steps is {steps}, but the schedule has {timesteps} timesteps")
    return [round((timesteps - 1) * (1 - number / steps)) for number in range(steps)]


def fresh_noise(seed: int, names: Sequence[str], number: int, size: int) -> Tensor:
    """The noise of the call `number`, (B, 1, size, size), a function of (seed, mask id, number) alone."""
    return noise_of(seed, names, (1, size, size), "renoise", number)
