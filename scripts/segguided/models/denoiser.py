"""The paper's denoiser: diffusers' UNet2DModel with the mask concatenated to the noisy image at every step.

Shape letters: B batch, C image channels, H height, W width.
"""

from collections.abc import Sequence

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn
from torch.nn import functional

from segguided.compiling import compile_network
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.mask_ablation import MaskAblationSettings
from segguided.config.models.regression import RegressionModel
from segguided.config.models.training import AUTO, MicroBatchSize, Precision
from segguided.config.models.unet import Unet
from segguided.devices import autocast
from segguided.models import diffusion
from segguided.models.augmentation import move
from segguided.models.decoder import ModulatedDecoder
from segguided.models.mask_ablation import ablate_masks
from segguided.models.masks import MaskEncoder
from segguided.models.on_cpu.order import in_fast_order
from segguided.models.on_cpu.unet import keep_unet_order
from segguided.models.signals import to_signal
from segguided.models.tissues.division import Division
from segguided.models.tissues.network import TissueNetwork
from segguided.training.optimisation import Descent, DescentLearner


class MaskedDenoiser(nn.Module):
    """model(x_BCHW, t_B, mask_BHW[, is_free_BK]) -> prediction_BCHW. `self.unet` is a plain UNet2DModel.

    With `tissues` the mask's values are tissues.

    With `noise_inputs`, x_BCHW has so many channels of noise, for each channel of an image, behind the noisy
    image.
    """

    tissues: TissueNetwork | None  # draws them, and trains beside the denoiser

    def __init__(
        self,
        model: DiffusionModel | RegressionModel,
        n_classes: int,
        image_size: int,
        noise_inputs: int = 0,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.tissues = None
        assert model.unet is not None
        self.channels = channels  # of an image
        self.encoder = MaskEncoder(model.conditioning, n_classes)
        self.patch = model.unet.patch
        self.unet = build_unet(
            model.unet, channels * (1 + noise_inputs) + self.encoder.channels, image_size, channels
        )

    @property
    def n_classes(self) -> int:
        """How many classes the masks have that it is given; with tissues it sees more."""
        return self.tissues.division.n_classes if self.tissues else self.encoder.n_classes

    def without_common_gradients(self) -> list[list[nn.Parameter]]:
        """The parameters in groups that share no loss: the denoiser's, and the tissues' if it has any."""
        if not self.tissues:
            return [list(self.parameters())]
        own = [tensor for name, tensor in self.named_parameters() if not name.startswith("tissues.")]
        return [own, list(self.tissues.parameters())]

    def forward(
        self, x_BCHW: Tensor, t_B: Tensor, mask_BHW: Tensor, is_free_BK: Tensor | None = None
    ) -> Tensor:
        """The prediction (epsilon, v or x0, as `prediction_type` says), (B, C, H, W).

        `is_free_BK`: see MaskEncoder.
        """
        _check_sizes(x_BCHW, mask_BHW)
        # Each step reuses the name, so that a tensor that is no longer needed is freed at once.
        x_BCHW = torch.cat([x_BCHW, self.encoder(mask_BHW, is_free_BK)], 1)
        x_BCHW = functional.pixel_unshuffle(x_BCHW, self.patch)
        x_BCHW = self.unet(in_fast_order(x_BCHW), t_B).sample
        return functional.pixel_shuffle(x_BCHW, self.patch)


class ImportedDenoiser(MaskedDenoiser):
    """A UNet that was trained elsewhere: its input is the noisy image, then the mask, without patches."""

    def __init__(self, unet: UNet2DModel, conditioning: str, n_classes: int) -> None:
        nn.Module.__init__(self)
        self.tissues = None
        self.encoder = MaskEncoder(conditioning, n_classes)
        self.patch = 1
        self.channels = int(unet.config["out_channels"])
        self.unet = unet


class ModulatedDenoiser(MaskedDenoiser):
    """A decoder that mask, noisy image and √ᾱ_t modulate at each level.

    Its coarsest level sees a few of the noisy image's pixels, and so varies as a whole, not pixel by pixel.
    """

    alpha_bar_T: Tensor

    def __init__(self, model: DiffusionModel, n_classes: int, image_size: int, channels: int = 1) -> None:
        nn.Module.__init__(self)
        self.tissues = None
        assert model.decoder is not None
        self.channels = channels
        self.encoder = MaskEncoder(model.conditioning, n_classes)
        maps = channels * (1 + model.noise_inputs) + 1 + self.encoder.channels
        self.decoder = ModulatedDecoder(model.decoder, maps, image_size, channels)
        alpha_bar_T = diffusion.noise_schedule(model).alphas_cumprod
        self.register_buffer("alpha_bar_T", alpha_bar_T, persistent=False)

    def forward(
        self, x_BCHW: Tensor, t_B: Tensor, mask_BHW: Tensor, is_free_BK: Tensor | None = None
    ) -> Tensor:
        """x0, (B, C, H, W)."""
        _check_sizes(x_BCHW, mask_BHW)
        signal_BCHW = self.alpha_bar_T[t_B].sqrt().view(-1, 1, 1, 1).expand_as(x_BCHW[:, :1])
        image_BCHW: Tensor = self.decoder(
            torch.cat([self.encoder(mask_BHW, is_free_BK), x_BCHW, signal_BCHW], 1)
        )
        return image_BCHW


def build_denoiser(
    model: DiffusionModel,
    n_classes: int,
    image_size: int,
    channels: int = 1,
    division: Division | None = None,
) -> MaskedDenoiser:
    """The network that the settings describe, with its first weights.

    `division`: of the classes, where the settings have tissues. Raises ValueError where one of the two lacks.
    """
    if bool(model.tissues) != bool(division):
        raise ValueError(
            f"tissues are {model.tissues}, but the division of the classes is {division}; a "
            "model has both, or neither"
        )
    n_seen = len(division.classes) - 1 if division else n_classes
    network: MaskedDenoiser
    if model.decoder:
        network = ModulatedDenoiser(model, n_seen, image_size, channels)
    else:
        network = MaskedDenoiser(model, n_seen, image_size, model.noise_inputs, channels)
    if model.tissues and division:
        network.tissues = TissueNetwork(model.tissues, division, image_size)
    return network


def _check_sizes(x_BCHW: Tensor, mask_BHW: Tensor) -> None:
    if mask_BHW.shape != (x_BCHW.shape[0], *x_BCHW.shape[2:]):
        raise ValueError(
            f"image {tuple(x_BCHW.shape)} and mask {tuple(mask_BHW.shape)} differ in batch or size"
        )


def build_unet(unet: Unet, in_channels: int, image_size: int, out_channels: int = 1) -> UNet2DModel:
    """The paper's UNet; with `patch` p it sees images of (H/p, W/p) with p² as many channels."""
    has_attention = [level in unet.attention_levels for level in range(len(unet.channels))]
    network = UNet2DModel(
        sample_size=image_size // unet.patch,
        in_channels=in_channels * unet.patch**2,
        out_channels=out_channels * unet.patch**2,
        layers_per_block=unet.layers_per_block,
        block_out_channels=unet.channels,
        norm_num_groups=unet.norm_groups,
        down_block_types=tuple("AttnDownBlock2D" if attends else "DownBlock2D" for attends in has_attention),
        up_block_types=tuple("AttnUpBlock2D" if attends else "UpBlock2D" for attends in has_attention[::-1]),
    )
    return keep_unet_order(network)


class DiffusionLearner(DescentLearner):
    """Trains a MaskedDenoiser with the loss of the paper's equation (1)."""

    def __init__(
        self, network: MaskedDenoiser, model: DiffusionModel, steps: int, device: torch.device
    ) -> None:
        self.network = network
        self.device = device
        self.precision = model.training.precision
        self.augmentation = model.augmentation
        self.ablation: MaskAblationSettings = model
        self.micro_batch_size = model.micro_batch_size
        self.schedule = diffusion.noise_schedule(model)
        self.min_snr_gamma = model.min_snr_gamma
        self.descent = Descent.with_adamw(network, model.training, steps, network.without_common_gradients())
        self.cycle = cycle_of(network)
        compile_network(network, calls=steps)

    def update(
        self,
        images_BHW: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step on a batch of uint8 images and masks."""
        images_BHW, masks_BHW = move(images_BHW, masks_BHW, self.augmentation, generator)
        x0_BCHW = to_signal(images_BHW)
        n_classes = self.network.encoder.n_classes
        masks_BHW, free_BK = ablate_masks(masks_BHW, n_classes, self.ablation, generator, not_annotated_BV)
        eps_BCHW, t_B = diffusion.sample_noise(self.schedule, x0_BCHW, generator)
        examples = tissue_examples(self.network, masks_BHW, generator, self.descent, self.micro_batch_size)
        batch = [x0_BCHW, masks_BHW, free_BK, eps_BCHW, t_B, *examples]
        return self.descent.descend(self._losses, batch, self.micro_batch_size)

    def _losses(
        self,
        x0_BCHW: Tensor,
        masks_BHW: Tensor,
        free_BK: Tensor,
        eps_BCHW: Tensor,
        t_B: Tensor,
        *examples: Tensor,
    ) -> dict[str, Tensor]:

        def denoiser(x_BCHW: Tensor, t_B: Tensor, mask_BHW: Tensor) -> Tensor:
            prediction: Tensor = self.network(x_BCHW, t_B, mask_BHW, free_BK)
            return prediction

        with autocast(self.device, self.precision):
            loss = diffusion.loss(
                denoiser, self.schedule, x0_BCHW, masks_BHW, eps_BCHW, t_B, self.min_snr_gamma
            )
        return with_tissue_losses({"loss": loss}, self.network, examples, self.precision)


def tissue_examples(
    network: MaskedDenoiser,
    tissues_BHW: Tensor,
    generator: torch.Generator,
    descent: Descent,
    micro_batch_size: MicroBatchSize,
) -> list[Tensor]:
    """What the network's tissues learn from a batch of masks; nothing where it has none, or in this step.

    Where `micro_batch_size: auto` is about to be tried out, it is tried with them: they take memory.
    """
    is_tried = micro_batch_size == AUTO and descent.must_choose
    if not network.tissues or (descent.steps % network.tissues.settings.every and not is_tried):
        return []
    return network.tissues.examples(tissues_BHW, generator)


def cycle_of(network: MaskedDenoiser) -> int:
    """After how many steps a training has done all that it does by turns."""
    return network.tissues.settings.every if network.tissues else 1


def with_tissue_losses(
    losses: dict[str, Tensor], network: MaskedDenoiser, examples: Sequence[Tensor], precision: Precision
) -> dict[str, Tensor]:
    """The losses of a step with those of the network's tissues, which share no weight with the others."""
    if not (network.tissues and examples):
        return losses
    of_tissues = network.tissues.losses(examples, precision)
    return {**losses, "loss": losses["loss"] + torch.stack(list(of_tissues.values())).sum(), **of_tissues}
