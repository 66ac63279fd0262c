"""Sampling in very few steps: x̂0 from noise, noise again to the next t, x̂0 again (sampler `renoise`).

This is multistep sampling of consistency models (Song et al., ICML 2023, algorithm 1), for any network that
predicts x0 and whose predictions vary as images do.
Shape letters: B batch, C image channels, H height, W width.
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

    def __init__(self, model: DenoiserSettings, steps: int, seed: int, channels: int = 1) -> None:
        if model.prediction_type != "sample":
            raise ValueError(
                f"the sampler renoise needs a model that predicts x0 (prediction_type: sample), got "
                f"{model.prediction_type}; choose ddim or dpm-solver++"
            )
        self.forward = noise_schedule(model)
        self.timesteps = renoising_timesteps(steps, model.schedule.timesteps)
        self.channels = channels  # of an image
        self.noise_inputs = channels * model.noise_inputs
        self.seed = seed

    @torch.inference_mode()
    def sample(self, denoiser: Denoiser, masks_BHW: Tensor, names: Sequence[str]) -> Tensor:
        """x0 (B, C, H, W) in [-1, 1] under the same mask at every step."""
        size = masks_BHW.shape[-1]
        x0_BCHW = self.first(denoiser, initial_noise(self.seed, names, size, self.channels), masks_BHW)
        for number, t in enumerate(self.timesteps[1:], start=1):
            eps_BCHW = fresh_noise(self.seed, names, number, size, self.channels)
            x0_BCHW = self.again(denoiser, x0_BCHW, eps_BCHW, t, masks_BHW, names, number)
        return x0_BCHW

    def first(self, denoiser: Denoiser, noise_BCHW: Tensor, masks_BHW: Tensor) -> Tensor:
        """x̂0 of the first call, which knows nothing of the image: it sees noise; 0 before noise inputs."""
        x_BCHW = noise_BCHW.to(masks_BHW.device)
        if self.noise_inputs:
            x_BCHW = torch.cat([torch.zeros_like(x_BCHW), x_BCHW], 1)
        return self._predict(denoiser, x_BCHW, self.timesteps[0], masks_BHW)

    def again(
        self,
        denoiser: Denoiser,
        x0_BCHW: Tensor,
        eps_BCHW: Tensor,
        t: int,
        masks_BHW: Tensor,
        names: Sequence[str],
        number: int,
    ) -> Tensor:
        """x̂0 of a further call: of x0 with the noise eps of time t. `number` counts the calls from 0."""
        device = masks_BHW.device
        t_B = torch.full((len(names),), t, device=device)
        x_BCHW = self.forward.add_noise(x0_BCHW, eps_BCHW.to(device), t_B)
        if self.noise_inputs:
            shape = (self.noise_inputs, *x_BCHW.shape[2:])
            x_BCHW = torch.cat([x_BCHW, input_noise(self.seed, names, number, shape).to(device)], 1)
        return self._predict(denoiser, x_BCHW, t, masks_BHW)

    def _predict(self, denoiser: Denoiser, x_BCHW: Tensor, t: int, masks_BHW: Tensor) -> Tensor:
        """x̂0 of one call, cut to [-1, 1]."""
        t_B = torch.full((len(x_BCHW),), t, device=x_BCHW.device)
        return denoiser(x_BCHW, t_B, masks_BHW).float().clamp(-1, 1)


def renoising_timesteps(steps: int, timesteps: int) -> list[int]:
    """The times of the calls, evenly spaced, from the noisiest down. Raises ValueError for too many steps."""
    if steps > timesteps:
        raise ValueError(f"sampling.steps is {steps}, but the schedule has {timesteps} timesteps")
    return [round((timesteps - 1) * (1 - number / steps)) for number in range(steps)]


def fresh_noise(seed: int, names: Sequence[str], number: int, size: int, channels: int = 1) -> Tensor:
    """The noise of the call `number`, (B, C, size, size), a function of (seed, mask id, number) alone."""
    return noise_of(seed, names, (channels, size, size), "renoise", number)


def input_noise(seed: int, names: Sequence[str], number: int, shape: tuple[int, ...]) -> Tensor:
    """The noise inputs of the call `number` > 0, (B, *shape), a function of (seed, mask id, number) alone."""
    return noise_of(seed, names, shape, "input", number)
