"""Stage 1 of the latent diffusion baseline: diffusers' AutoencoderKL on grey images (Rombach et al. 2022).

Shape letters: B batch, C latent channels, H height and W width of the image, h and w of the latent.
"""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from segguided.compiling import compile_network
from segguided.config.models.controlnet import AutoencoderSize, AutoencoderTraining, Pretrained
from segguided.devices import autocast
from segguided.models.controlnet.stable_diffusion import load_part
from segguided.models.on_cpu.order import in_fast_order
from segguided.models.on_cpu.unet import keep_unet_order
from segguided.models.signals import to_signal
from segguided.training.optimisation import Descent, DescentLearner
from segguided.training.storage import load_weights, network_description

GREY_AS = 3  # channels that a grey image becomes
LOGVAR = (-30.0, 20.0)  # diffusers' bounds of the posterior's log variance


def start_autoencoder(start: Pretrained | AutoencoderSize, channels: int = 1) -> AutoencoderKL:
    """What stage 1 starts from: Stable Diffusion's autoencoder, or a random one of the given size.

    Raises ValueError for images of several channels that Stable Diffusion's cannot take.
    """
    if isinstance(start, Pretrained):
        network = load_part(start.source, "vae", AutoencoderKL)
        taken = network.config["in_channels"]
        if channels not in (1, taken):
            raise ValueError(
                f"the autoencoder of {start.source} takes images of {taken} channels, or grey ones, but "
                f"these have {channels}; set init: {{kind: scratch, …}}"
            )
        return network
    # Grey images as in Stable Diffusion, so that both autoencoders are used alike.
    image_channels = GREY_AS if channels == 1 else channels
    levels = len(start.channels)
    return AutoencoderKL(
        in_channels=image_channels,
        out_channels=image_channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=start.channels,
        layers_per_block=start.layers_per_block,
        latent_channels=start.latent_channels,
        norm_num_groups=start.norm_groups,
        mid_block_add_attention=start.attention,
    )


def network_config(network: nn.Module) -> dict[str, Any]:
    """What rebuilds a diffusers network, as JSON values, without the place it was loaded from."""
    config = json.loads(network.to_json_string())
    return {name: value for name, value in config.items() if name != "_name_or_path"}


def load_autoencoder(weights: Path, device: torch.device) -> AutoencoderKL:
    """The autoencoder that stage 1 wrote, in evaluation mode."""
    with network_description(weights) as description:
        network = AutoencoderKL.from_config(description["autoencoder"])
    return keep_unet_order(load_weights(network, weights, device))


def downsampling(autoencoder: AutoencoderKL) -> int:
    """How many image pixels one latent position is wide."""
    return 1 << (len(autoencoder.config["block_out_channels"]) - 1)


def encode(autoencoder: AutoencoderKL, x_B1HW: Tensor) -> Tensor:
    """Moments (B, 2C, h, w) of q(z | x): mean, then log variance.

    A grey image is every input channel.
    """
    channels = autoencoder.config["in_channels"]
    return autoencoder.encode(in_fast_order(x_B1HW.expand(-1, channels, -1, -1))).latent_dist.parameters


def decode(autoencoder: AutoencoderKL, z_BCHW: Tensor, channels: int = 1) -> Tensor:
    """Images (B, channels, H, W) of latents; grey ones are the mean of the decoder's channels."""
    images_BCHW: Tensor = autoencoder.decode(in_fast_order(z_BCHW)).sample
    return images_BCHW.mean(1, keepdim=True) if channels == 1 else images_BCHW


def sample_posterior(moments_B2CHW: Tensor, noise_BCHW: Tensor) -> Tensor:
    """z ~ q(z | x), shape (B, C, h, w), float32, made from standard normal noise of that shape."""
    mean_BCHW, logvar_BCHW = moments_B2CHW.float().chunk(2, 1)
    return mean_BCHW + (0.5 * logvar_BCHW.clamp(*LOGVAR)).exp() * noise_BCHW


def kl_divergence(moments_B2CHW: Tensor) -> Tensor:
    """KL(q(z | x) ‖ N(0, 1)) of an image: the sum over its latent elements, the mean over the batch."""
    mean_BCHW, logvar_BCHW = moments_B2CHW.float().chunk(2, 1)
    logvar_BCHW = logvar_BCHW.clamp(*LOGVAR)
    return 0.5 * (mean_BCHW.square() + logvar_BCHW.exp() - 1 - logvar_BCHW).sum((1, 2, 3)).mean()


class AutoencoderLearner(DescentLearner):
    """Trains an AutoencoderKL on the absolute error of the reconstruction and a little KL divergence.

    Rombach et al.'s code adds kl_weight · KL, summed over the latent, to the error, summed over all elements
    of the image: side × side × channels, three here as there. Here both are divided by that number, which
    keeps their ratio and makes the error a mean. Their perceptual and adversarial terms are left out.
    """

    def __init__(
        self, network: AutoencoderKL, settings: AutoencoderTraining, steps: int, device: torch.device
    ) -> None:
        self.network = keep_unet_order(network)
        self.device = device
        self.kl_weight = settings.kl_weight
        self.micro_batch_size = settings.micro_batch_size
        self.precision = settings.training.precision
        self.descent = Descent.with_adamw(network, settings.training, steps)
        for part in (network.encoder, network.decoder):
            compile_network(part, calls=steps)

    def update(
        self,
        images_BHW: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step on a batch of uint8 images; the masks are not used."""
        side = downsampling(self.network)
        channels = self.network.config["latent_channels"]
        shape = (len(images_BHW), channels, *(length // side for length in images_BHW.shape[1:3]))
        noise_BCHW = torch.randn(shape, generator=generator, device=images_BHW.device)
        return self.descent.descend(self._losses, [images_BHW, noise_BCHW], self.micro_batch_size)

    def _losses(self, images_BHW: Tensor, noise_BCHW: Tensor) -> dict[str, Tensor]:
        x_B1HW = to_signal(images_BHW)
        with autocast(self.device, self.precision):
            moments_B2CHW = encode(self.network, x_B1HW)
            decoded_B1HW = decode(self.network, sample_posterior(moments_B2CHW, noise_BCHW), x_B1HW.shape[1])
        error = (decoded_B1HW.float() - x_B1HW).abs().mean()
        kl = kl_divergence(moments_B2CHW)
        elements = x_B1HW[0, 0].numel() * self.network.config["in_channels"]
        return {"loss": error + self.kl_weight * kl / elements, "reconstruction": error, "kl": kl}
