"""Stage 2 of the latent diffusion baseline: a UNet2DConditionModel under the empty prompt, on stored latents.

Shape letters: S slices, B batch, C latent channels, H height and W width of an image, h and w of a latent.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn

from segguided.compiling import compile_network
from segguided.config.models.controlnet import (
    ControlTraining,
    LatentStage,
    LatentTraining,
    LatentUnetSize,
    Pretrained,
)
from segguided.data.slices import SliceSet
from segguided.devices import autocast
from segguided.files import room_for
from segguided.models import diffusion
from segguided.models.controlnet.autoencoder import downsampling, encode, sample_posterior
from segguided.models.controlnet.empty_prompt import empty_prompt
from segguided.models.controlnet.stable_diffusion import load_part, scheduler_file
from segguided.models.diffusion import DiffusionSettings
from segguided.models.on_cpu.order import in_fast_order
from segguided.models.on_cpu.unet import keep_unet_order
from segguided.models.signals import to_signal
from segguided.models.stated_scheduler import check_stated
from segguided.training import ranks
from segguided.training.loop import Batches
from segguided.training.optimisation import Descent, DescentLearner
from segguided.training.storage import load_weights, network_description

EMPTY_WIDTH = 8  # width of the prompt of a UNet that starts from random weights; the prompt is all zeros


class LatentDenoiser(nn.Module):
    """model(x_BChw, t_B, mask_BHW) -> prediction_BChw; the mask is not used, the prompt is always empty."""

    def __init__(self, unet: UNet2DConditionModel, prompt_1LD: Tensor) -> None:
        super().__init__()
        self.unet = keep_unet_order(unet)
        self.register_buffer("prompt_1LD", prompt_1LD)

    def forward(self, x_BCHW: Tensor, t_B: Tensor, mask_BHW: Tensor) -> Tensor:
        """The UNet's prediction."""
        return self.unet(in_fast_order(x_BCHW), t_B, self.prompt_1LD.expand(len(x_BCHW), -1, -1)).sample


def check_noise(stage: LatentStage) -> None:
    """Raise ValueError if a pretrained UNet was trained with other noise than stage 2 would use.

    Latents have no bounds, so nothing is clipped here, whatever the scheduler of the UNet says.
    """
    if isinstance(stage.start, Pretrained):
        path = scheduler_file(stage.start.source)
        check_stated(path, stage.settings, "the model's settings under `latent`", cut=False)


def start_denoiser(start: Pretrained | LatentUnetSize, latent_channels: int) -> LatentDenoiser:
    """What stage 2 starts from: Stable Diffusion's denoiser, or a random one of the given size.

    Raises ValueError if a pretrained UNet takes latents with another number of channels.
    """
    if isinstance(start, LatentUnetSize):
        unet = build_latent_unet(start, latent_channels)
        return LatentDenoiser(unet, torch.zeros(1, 1, unet.config["cross_attention_dim"]))
    unet = load_part(start.source, "unet", UNet2DConditionModel)
    if unet.config["in_channels"] != latent_channels:
        raise ValueError(
            f"the UNet of {start.source} takes {unet.config['in_channels']} channels, but the autoencoder's "
            f"latents have {latent_channels}; use a pipeline in the layout of Stable Diffusion 1.5"
        )
    return LatentDenoiser(unet, empty_prompt(start.source))


def build_latent_unet(size: LatentUnetSize, latent_channels: int) -> UNet2DConditionModel:
    """A random UNet; without attention levels it has no attention at all, not even in its middle."""
    attends = [level in size.attention_levels for level in range(len(size.channels))]
    return UNet2DConditionModel(
        in_channels=latent_channels,
        out_channels=latent_channels,
        down_block_types=tuple("CrossAttnDownBlock2D" if level else "DownBlock2D" for level in attends),
        mid_block_type="UNetMidBlock2DCrossAttn" if any(attends) else "UNetMidBlock2D",
        up_block_types=tuple("CrossAttnUpBlock2D" if level else "UpBlock2D" for level in attends[::-1]),
        block_out_channels=size.channels,
        layers_per_block=size.layers_per_block,
        norm_num_groups=size.norm_groups,
        cross_attention_dim=EMPTY_WIDTH,
        attention_head_dim=size.attention_heads,  # diffusers' name for the number of heads
    )


def load_latent_denoiser(weights: Path, device: torch.device) -> LatentDenoiser:
    """The denoiser that stage 2 wrote."""
    with network_description(weights) as description:
        unet = UNet2DConditionModel.from_config(description["unet"])
        denoiser = LatentDenoiser(unet, torch.empty(description["prompt_shape"]))
    load_weights(denoiser, weights, device)
    return denoiser


class LatentBatches(Batches):
    """Batches of stored posterior moments instead of images; the masks come from the slices."""

    def __init__(self, slices: SliceSet, moments_S2CHW: np.ndarray, device: torch.device) -> None:
        self.slices = slices
        self.device = device
        self.moments_S2CHW = moments_S2CHW

    def __call__(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Moments (B, 2C, h, w), float32, and masks (B, H, W), uint8, on the device."""
        moments_B2CHW = torch.from_numpy(self.moments_S2CHW[indices])
        masks_BHW = torch.from_numpy(self.slices.batch(indices)[1])
        return moments_B2CHW.to(self.device), masks_BHW.to(self.device)

    def scaling_factor(self) -> float:
        """1 / standard deviation of all latents z ~ q(z | x): Var z = E var + E mean² − (E mean)²."""
        sum_of_squares = 0.0
        sum_of_means = 0.0
        count = 0
        for moments_2CHW in self.moments_S2CHW:  # one slice in memory at a time
            mean, logvar = np.split(moments_2CHW.astype(np.float64), 2)
            sum_of_squares += (np.exp(logvar) + mean**2).sum()
            sum_of_means += mean.sum()
            count += mean.size
        variance = sum_of_squares / count - (sum_of_means / count) ** 2
        return float(1 / np.sqrt(variance))


@contextmanager
def latent_batches(
    autoencoder: AutoencoderKL, slices: SliceSet, path: Path, device: torch.device
) -> Iterator[LatentBatches]:
    """Encode every slice once into the scratch file `path`, which is memory-mapped and deleted at the end.

    So no training step runs the autoencoder, and memory does not grow with the dataset. Processes that train
    together share the work and the file.
    """
    try:
        if ranks.is_first():
            _create_file(autoencoder, slices, path)
        ranks.wait_for_all()
        _encode_share(autoencoder, Batches(slices, device), path)
        ranks.wait_for_all()
        yield LatentBatches(slices, np.load(path, mmap_mode="r"), device)
    finally:
        if ranks.is_first():
            path.unlink(missing_ok=True)


def _create_file(autoencoder: AutoencoderKL, slices: SliceSet, path: Path) -> None:
    """Create the file for the moments, at its full size."""
    height, width = slices.stacks[0].masks_SHW.shape[1:]
    side = downsampling(autoencoder)
    shape = (len(slices), 2 * autoencoder.config["latent_channels"], height // side, width // side)
    path.parent.mkdir(parents=True, exist_ok=True)
    with room_for(path):
        np.lib.format.open_memmap(path, "w+", np.float32, shape)
        # On a full disk, writing to the map would kill the process without a message.
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


@torch.inference_mode()
def _encode_share(autoencoder: AutoencoderKL, images: Batches, path: Path) -> None:
    """Encode every n-th batch in each of n processes; the bytes are the same for any n."""
    moments_S2CHW = np.lib.format.open_memmap(path, "r+")
    start = 0
    for position, (images_BHW, _) in enumerate(images.in_order(batch_size=16)):
        if position % ranks.count() == ranks.rank():
            # In fp32, because it is done only once.
            moments_B2CHW = encode(autoencoder, to_signal(images_BHW))
            moments_S2CHW[start : start + len(images_BHW)] = moments_B2CHW.cpu().numpy()
        start += len(images_BHW)
    moments_S2CHW.flush()


class LatentLearner(DescentLearner):
    """Trains the part `trained` of a denoiser with the diffusion loss on latents; stage 3 uses it too."""

    def __init__(
        self,
        denoiser: nn.Module,
        trained: nn.Module,
        diffusion_settings: DiffusionSettings,
        settings: LatentTraining | ControlTraining,
        scaling_factor: float,
        steps: int,
        device: torch.device,
    ) -> None:
        denoiser.requires_grad_(False)
        trained.requires_grad_(True)
        self.denoiser = denoiser
        self.scaling_factor = scaling_factor
        self.micro_batch_size = settings.micro_batch_size
        self.device = device
        self.precision = settings.training.precision
        self.schedule = diffusion.noise_schedule(diffusion_settings)
        self.descent = Descent.with_adamw(trained, settings.training, steps)
        compile_network(denoiser, calls=steps)

    def update(
        self,
        moments_B2CHW: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step on a batch of posterior moments, from which latents are sampled, and masks."""
        mean_BCHW, _ = moments_B2CHW.chunk(2, 1)
        noise_BCHW = torch.randn(mean_BCHW.shape, generator=generator, device=mean_BCHW.device)
        z_BCHW = sample_posterior(moments_B2CHW, noise_BCHW) * self.scaling_factor
        eps_BCHW, t_B = diffusion.sample_noise(self.schedule, z_BCHW, generator)
        return self.descent.descend(self._losses, [z_BCHW, masks_BHW, eps_BCHW, t_B], self.micro_batch_size)

    def _losses(self, z_BCHW: Tensor, masks_BHW: Tensor, eps_BCHW: Tensor, t_B: Tensor) -> dict[str, Tensor]:
        with autocast(self.device, self.precision):
            return {"loss": diffusion.loss(self.denoiser, self.schedule, z_BCHW, masks_BHW, eps_BCHW, t_B)}

    def finished_network(self) -> nn.Module:
        """The denoiser with the averaged weights of its trained part."""
        self.descent.use_averaged_weights()
        return self.denoiser
