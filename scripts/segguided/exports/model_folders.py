"""A trained denoiser as a folder for plain diffusers: unet/, scheduler/, and a page on how to call them."""

from pathlib import Path

from diffusers import DDIMScheduler, UNet2DModel
from safetensors.torch import save_file

from segguided.config.models.diffusion import DenoiserSettings
from segguided.files import atomic_path
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.importing import SCHEDULER, UNET, WEIGHTS

PAGE = """# A UNet2DModel for plain diffusers

`unet/` and `scheduler/` load with diffusers alone. The UNet takes {size} × {size} {grey} images, pixel value
k as k / 127.5 − 1, at timesteps 0…{last}, and predicts `{prediction_type}`.

Input channels, in this order: the noisy image{mask_channels}.
{patch}
With `folder` the path of this folder{given}:

```python
import torch
from diffusers import DDIMScheduler, UNet2DModel
from torch.nn.functional import one_hot, pixel_shuffle, pixel_unshuffle

unet = UNet2DModel.from_pretrained(folder, subfolder="unet")
scheduler = DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
scheduler.set_timesteps(50)
x = torch.randn({count}, {channels}, {size}, {size})
for t in scheduler.timesteps:
    with torch.inference_mode():
        prediction = {call}
    x = scheduler.step(prediction, t, x).prev_sample
images = (x.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
```
"""
CHANNELS = {
    "none": "",
    "index255": "; its mask, class k as k / 255 (0 is background)",
    "onehot": "; a channel of zeros and ones for each class of its mask, background (0) first, {n} in all",
    "onehot_free": (
        "; a channel of zeros and ones for each class of its mask, background (0) first, {n} in all; then "
        "one for each class but the background, {free} in all: 1 everywhere where the class is left to the "
        "model, else 0, as in the lines below"
    ),
}
JOINED = {
    "none": "x",
    "index255": "torch.cat([x, mask[:, None] / 255], 1)",
    "onehot": "torch.cat([x, one_hot(mask.long(), {n}).movedim(-1, 1)], 1)",
    "onehot_free": (
        "torch.cat([x, one_hot(mask.long(), {n}).movedim(-1, 1), "
        "torch.zeros(len(mask), {free}, *mask.shape[1:])], 1)"
    ),
}


def write_folder(folder: Path, unet: UNet2DModel, scheduler: DDIMScheduler) -> None:
    """Write a folder that UNet2DModel and DDIMScheduler load with from_pretrained."""
    with atomic_path(folder / SCHEDULER) as temporary:
        scheduler.to_json_file(temporary)
    with atomic_path(folder / UNET) as temporary:
        unet.to_json_file(temporary)
    tensors = {name: value.detach().cpu().contiguous() for name, value in unet.state_dict().items()}
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})


def model_page(network: MaskedDenoiser, model: DenoiserSettings) -> str:
    """The README.md of an exported folder: what the channels are, and the code that generates images."""
    encoder = network.encoder
    patch = network.patch
    masked = encoder.conditioning != "none"
    counts = {"n": encoder.n_classes + 1, "free": encoder.n_classes}
    joined = JOINED[encoder.conditioning].format(**counts)
    call = f"unet({joined}, t).sample"
    if patch > 1:
        call = f"pixel_shuffle(unet(pixel_unshuffle({joined}, {patch}), t).sample, {patch})"
    return PAGE.format(
        size=network.unet.config.sample_size * patch,
        last=model.schedule.timesteps - 1,
        prediction_type=model.prediction_type,
        mask_channels=CHANNELS[encoder.conditioning].format(**counts),
        channels=network.channels,
        grey="grey" if network.channels == 1 else f"{network.channels}-channel",
        patch=_patch_note(patch, network.channels) if patch > 1 else "",
        given=" and `mask` whole-number class maps (B, H, W)" if masked else "",
        count="len(mask)" if masked else "4",
        call=call,
    )


def _patch_note(patch: int, channels: int) -> str:
    return (
        f"\nEach becomes {patch**2} channels of a {patch}th of the height and width before the first layer "
        f"(`pixel_unshuffle`), and the UNet's {channels * patch**2} output channels one image again "
        "(`pixel_shuffle`).\n"
    )
