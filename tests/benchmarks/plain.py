"""A plain implementation of the paper's training and sampling: what benchmarks are measured against.

Written as a first version is: in fp32, PNG files decoded in the main process, noise made on the CPU, the loss
read after every step, images sampled by 50 DDIM steps. Its network is the same.
Shape letters: B batch, H height, W width.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from PIL import Image
from torch import Tensor
from torch.nn import functional

STEPS = 50


def write_pngs(folder: Path, count: int, side: int, n_classes: int) -> list[tuple[Path, Path]]:
    """Random images with masks of rectangles, two PNG files each."""
    numbers = np.random.default_rng(0)
    pairs = []
    for name in range(count):
        mask_HW = np.zeros((side, side), np.uint8)
        for value in range(1, n_classes + 1):
            top, left = numbers.integers(0, side // 2, 2)
            mask_HW[top : top + side // 3, left : left + side // 3] = value
        image_HW = np.clip(mask_HW * 40 + numbers.normal(60, 20, mask_HW.shape), 0, 255).astype(np.uint8)
        pair = folder / f"{name}.png", folder / f"{name}_mask.png"
        for array, path in zip((image_HW, mask_HW), pair, strict=True):
            Image.fromarray(array).save(path)
        pairs.append(pair)
    return pairs


class PlainTraining:
    """Training of a UNet whose input is the noisy image and one channel of k/255."""

    def __init__(self, unet: UNet2DModel, pairs: list[tuple[Path, Path]], device: torch.device) -> None:
        self.unet = unet
        self.pairs = pairs
        self.device = device
        self.schedule = DDPMScheduler(1000, 1e-4, 0.02, "linear")
        self.optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-4)

    def step(self, batch_size: int) -> float:
        """One step on a random batch; its loss."""
        chosen = torch.randint(0, len(self.pairs), (batch_size,), device="cpu").tolist()
        x0_B1HW = torch.stack([read(self.pairs[index][0]) for index in chosen]) / 127.5 - 1
        mask_B1HW = torch.stack([read(self.pairs[index][1]) for index in chosen]) / 255
        eps_B1HW = torch.randn(x0_B1HW.shape, device="cpu").to(self.device)
        t_B = torch.randint(0, 1000, (batch_size,), device="cpu").to(self.device)
        noisy_B1HW = self.schedule.add_noise(x0_B1HW.to(self.device), eps_B1HW, t_B)
        predicted_B1HW = self.unet(torch.cat([noisy_B1HW, mask_B1HW.to(self.device)], 1), t_B).sample
        loss = functional.mse_loss(predicted_B1HW, eps_B1HW)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()


def read(path: Path) -> Tensor:
    """A grey PNG, (1, H, W) float32 on the CPU."""
    return torch.from_numpy(np.array(Image.open(path), np.float32))[None]


@torch.no_grad()
def plain_sample(unet: UNet2DModel, mask_BHW: Tensor, steps: int = STEPS) -> Tensor:
    """Images (B, 1, H, W) in [-1, 1] of masks, on the masks' device."""
    schedule = DDIMScheduler(1000, 1e-4, 0.02, "linear")
    schedule.set_timesteps(steps)
    mask_B1HW = mask_BHW[:, None] / 255
    x_B1HW = torch.randn(mask_B1HW.shape, device="cpu").to(mask_BHW.device)
    for t in schedule.timesteps:
        predicted_B1HW = unet(torch.cat([x_B1HW, mask_B1HW], 1), t).sample
        x_B1HW = schedule.step(predicted_B1HW, t, x_B1HW).prev_sample
    return x_B1HW
