"""Stage 3 of the latent diffusion baseline: ControlNet (Zhang et al. 2023) on diffusers' ControlNetModel.

Shape letters: B batch, C latent channels, H height and W width of image and mask, h and w of the latent.
"""

import copy
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel
from torch import Tensor, nn

from segguided.config.models.controlnet import ControlTraining
from segguided.config.models.mask_ablation import MaskAblationSettings
from segguided.models.controlnet.autoencoder import downsampling, network_config
from segguided.models.controlnet.latent import LatentDenoiser, LatentLearner
from segguided.models.diffusion import DiffusionSettings
from segguided.models.mask_ablation import ablate_masks
from segguided.models.masks import MaskEncoder
from segguided.models.on_cpu.order import in_fast_order
from segguided.models.on_cpu.unet import keep_unet_order


class ControlledDenoiser(nn.Module):
    """model(x_BChw, t_B, mask_BHW) -> prediction_BChw: the UNet, steered by a ControlNet with the mask."""

    def __init__(self, denoiser: LatentDenoiser, control: ControlNetModel, encoder: MaskEncoder) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.control = keep_unet_order(control)
        self.encoder = encoder

    def forward(self, x_BCHW: Tensor, t_B: Tensor, mask_BHW: Tensor) -> Tensor:
        """The UNet's prediction with the ControlNet's features added to its skip connections."""
        prompt_BLD = self.denoiser.prompt_1LD.expand(len(x_BCHW), -1, -1)
        x_BCHW, hint_BKHW = in_fast_order(x_BCHW), in_fast_order(self.encoder(mask_BHW))
        down, middle = self.control(x_BCHW, t_B, prompt_BLD, hint_BKHW, return_dict=False)
        return self.denoiser.unet(
            x_BCHW,
            t_B,
            prompt_BLD,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        ).sample

    def part_to_train(self, sd_locked: bool) -> nn.Module:
        """What stage 3 trains: the ControlNet and, unless `sd_locked`, the UNet's decoder."""
        unet = self.denoiser.unet
        decoder = [] if sd_locked else [unet.up_blocks, unet.conv_norm_out, unet.conv_out]
        return nn.ModuleList([self.control, *decoder])


class LatentPipeline(nn.Module):
    """All networks that generation needs, in one module: autoencoder, UNet, empty prompt and ControlNet."""

    def __init__(
        self,
        autoencoder: AutoencoderKL,
        denoiser: ControlledDenoiser,
        scaling_factor: float,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.autoencoder = keep_unet_order(autoencoder)
        self.denoiser = denoiser
        self.scaling_factor = scaling_factor
        self.channels = channels  # of an image

    def description(self) -> dict[str, Any]:
        """What `load_pipeline` needs to rebuild the networks."""
        return {
            "autoencoder": network_config(self.autoencoder),
            "unet": network_config(self.denoiser.denoiser.unet),
            "control": network_config(self.denoiser.control),
            "conditioning": self.denoiser.encoder.conditioning,
            "prompt_shape": list(self.denoiser.denoiser.prompt_1LD.shape),
            "scaling_factor": self.scaling_factor,
        }


def add_control(
    denoiser: LatentDenoiser, autoencoder: AutoencoderKL, settings: ControlTraining, n_classes: int
) -> ControlledDenoiser:
    """The denoiser with a new ControlNet: a copy of its encoder, which changes nothing before training.

    Raises ValueError if the mask would not shrink to the size of the latent.
    """
    side = downsampling(autoencoder)
    levels = len(settings.hint_channels)
    if side != 1 << (levels - 1):
        raise ValueError(
            f"the autoencoder shrinks images {side}-fold, but control.hint_channels with {levels} levels "
            f"shrinks masks {1 << (levels - 1)}-fold; give it {side.bit_length()} levels"
        )
    encoder = MaskEncoder(settings.conditioning, n_classes)
    control = ControlNetModel.from_unet(
        denoiser.unet,
        conditioning_embedding_out_channels=settings.hint_channels,
        conditioning_channels=encoder.channels,
    )
    return ControlledDenoiser(denoiser, control, encoder)


class ControlLearner(LatentLearner):
    """Trains the ControlNet of a pipeline and, unless `sd_locked`, the decoder of its UNet."""

    def __init__(
        self,
        pipeline: LatentPipeline,
        diffusion_settings: DiffusionSettings,
        settings: ControlTraining,
        steps: int,
        device: torch.device,
    ) -> None:
        network = pipeline.denoiser
        trained = network.part_to_train(settings.sd_locked)
        scale = pipeline.scaling_factor
        super().__init__(network, trained, diffusion_settings, settings, scale, steps, device)
        self.pipeline = pipeline
        self.sd_locked = settings.sd_locked
        self.ablation: MaskAblationSettings = settings

    def update(
        self,
        moments_B2CHW: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step on a batch of posterior moments and masks, which are ablated if the settings say so.

        What is not annotated is in no mask, and the encoding cannot tell that from removed.
        """
        n_classes = self.pipeline.denoiser.encoder.n_classes
        masks_BHW, _ = ablate_masks(masks_BHW, n_classes, self.ablation, generator)
        return super().update(moments_B2CHW, masks_BHW, generator)

    def averaged_copy(self) -> nn.Module:
        """A copy of the pipeline, the trained networks with their averaged weights."""
        pipeline = copy.deepcopy(self.pipeline)
        if self.descent.ema:
            trained = pipeline.denoiser.part_to_train(self.sd_locked)
            self.descent.ema.copy_to(list(trained.parameters()))
        return pipeline.eval()

    def finished_network(self) -> nn.Module:
        """All networks of the pipeline, the trained ones with their averaged weights."""
        self.descent.use_averaged_weights()
        return self.pipeline
