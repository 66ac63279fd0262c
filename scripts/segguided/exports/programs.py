"""A trained denoiser that predicts x0, as a program that PyTorch alone loads, and a page on its use."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from segguided.config.models.diffusion import DenoiserSettings, NoiseSchedule
from segguided.files import atomic_path
from segguided.generation.masks.tissues import draw_tissues
from segguided.generation.samplers.renoising import renoising_timesteps
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.tissues.network import TissueNetwork

MOST_AT_ONCE = 63  # images; diffusers' UNet computes larger batches by other operations
PAGE = """# A program for plain PyTorch

`{program}` loads with PyTorch alone. It takes noisy {grey} images (B, {inputs_in_all}, {size}, {size}), pixel
value k as k / 127.5 − 1{second}, timesteps (B,) from 0 to {last}, masks (B, {size}, {size}) of bytes, 0
(background) to {n_classes}{third} and predicts x0, the images without noise (B, {channels}, {size}, {size}).
At most {most} at once.

With `folder` the path of this folder, `mask` such masks, and `torch` {version} or newer:

```python
import torch

network = torch.export.load(f"{{folder}}/{program}").module()
beta = {beta}
alpha_bar = torch.cumprod(1 - beta, 0)
times = {times}
{drawn}x = {first}
for number, t in enumerate(times):
    with torch.no_grad():
        x0 = network({inputs}, torch.full((len(mask),), t), mask{further}).clamp(-1, 1)
    for following in times[number + 1 : number + 2]:
        signal, noise = alpha_bar[following].sqrt(), (1 - alpha_bar[following]).sqrt()
        x = signal * x0 + noise * torch.randn_like(x0)
images = (x0 * 127.5 + 127.5).round().to(torch.uint8)
```
"""


def write_program(target: Path, network: MaskedDenoiser, model: DenoiserSettings, size: int) -> None:
    """Write the network for images of `size` pixels a side, to a .pt2 file."""
    batch = torch.export.Dim("batch", min=1, max=MOST_AT_ONCE)
    example = _example(network.channels * (1 + model.noise_inputs), size)
    shapes = {"x_BCHW": {0: batch}, "t_B": {0: batch}, "mask_BHW": {0: batch}}
    exported: nn.Module = network
    if network.tissues:
        exported = _WithTissues(network, network.tissues)
        example = (*example, torch.zeros(2, _numbers(network.tissues)))
        shapes["drawn_BN"] = {0: batch}
    program = torch.export.export(exported.eval(), example, dynamic_shapes=shapes)
    with atomic_path(target) as temporary:
        torch.export.save(program, temporary)


class _WithTissues(nn.Module):
    """A denoiser that draws the tissues of masks of classes first, from N random numbers for each mask."""

    def __init__(self, network: MaskedDenoiser, tissues: TissueNetwork) -> None:
        super().__init__()
        self.network = network
        self.tissues = tissues

    def forward(self, x_BCHW: Tensor, t_B: Tensor, mask_BHW: Tensor, drawn_BN: Tensor) -> Tensor:
        """x0, (B, C, H, W)."""
        shapes = self.tissues.noise_shapes
        parts = drawn_BN.split([math.prod(shape) for shape in shapes], 1)
        noises = [part_BN.unflatten(1, shape) for part_BN, shape in zip(parts, shapes, strict=True)]
        x0_BCHW: Tensor = self.network(
            x_BCHW, t_B, draw_tissues(self.tissues, mask_BHW, self.tissues.enlarged(noises))
        )
        return x0_BCHW


def _third(tissues: TissueNetwork | None) -> str:
    """What the page says of the numbers that tissues are drawn from."""
    if not tissues:
        return ""
    return (
        f", and `drawn` (B, {_numbers(tissues)}), normal random numbers that decide where the parts of the "
        "classes lie, the same in each call,"
    )


def _numbers(tissues: TissueNetwork) -> int:
    """How many random numbers the tissues of a mask are drawn from."""
    return sum(math.prod(shape) for shape in tissues.noise_shapes)


def _example(channels: int, size: int) -> tuple[Tensor, ...]:
    """Noisy images, times and masks of a batch, from which the program's shapes are known."""
    x_BCHW = torch.zeros(2, channels, size, size)
    t_B = torch.zeros(2, dtype=torch.long)
    return x_BCHW, t_B, torch.zeros((2, size, size), dtype=torch.uint8)


def program_page(
    program: str, network: MaskedDenoiser, model: DenoiserSettings, size: int, steps: int
) -> str:
    """The README.md beside the program: what it takes, and code that generates in `steps` calls."""
    shape = f"len(mask), {network.channels}, {size}, {size}"
    noise = f"torch.randn({shape})"
    tissues = network.tissues
    return PAGE.format(
        program=program,
        channels=network.channels,
        inputs_in_all=network.channels * (1 + model.noise_inputs),
        grey="grey" if network.channels == 1 else f"{network.channels}-channel",
        second=", and behind each image noise from which images of one mask differ"
        if model.noise_inputs
        else "",
        first=f"torch.zeros({shape})" if model.noise_inputs else noise,
        inputs=f"torch.cat([x, {noise}], 1)" if model.noise_inputs else "x",
        most=MOST_AT_ONCE,
        size=size,
        last=model.schedule.timesteps - 1,
        n_classes=network.n_classes,
        third=_third(tissues),
        drawn=f"drawn = torch.randn(len(mask), {_numbers(tissues)})\n" if tissues else "",
        further=", drawn" if tissues else "",
        version=torch.__version__.partition("+")[0],
        beta=_beta(model.schedule),
        times=renoising_timesteps(steps, model.schedule.timesteps),
    )


def _beta(schedule: NoiseSchedule) -> str:
    """The noise of each time step, as code."""
    if schedule.growth == "linear":
        return f"torch.linspace({schedule.beta_start}, {schedule.beta_end}, {schedule.timesteps})"
    ends = f"{schedule.beta_start} ** 0.5, {schedule.beta_end} ** 0.5"
    return f"torch.linspace({ends}, {schedule.timesteps}) ** 2"
