"""Perceptual loss (Johnson et al. 2016): the distance of two images in the feature maps of a frozen network.

Shape letters: B batch, C feature channels, H height, W width.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from segguided.config.models.perceptual import Perceptual
from segguided.data.slices import SliceSet
from segguided.models.foreign import read_tensors
from segguided.models.on_cpu.order import as_stored
from segguided.models.plain_encoder import load_encoder
from segguided.training.storage import check_trained_on

# VGG-19 up to relu5_1: channels of its convolutions; each None is a 2×2 maximum pooling.
VGG19 = (64, 64, None, 128, 128, None, 256, 256, 256, 256, None, 512, 512, 512, 512, None, 512)
VGG19_TAPS = (1, 6, 11, 20, 29)  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1


class PerceptualLoss(nn.Module):
    """Σ w_i · mean |f_i(images) − f_i(targets)| over the maps f_i of `features`, which is frozen.

    `weights` defaults to 1 for the deepest map and half as much for each one before it.
    """

    def __init__(self, features: nn.Module, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)
        self.weights = weights

    def forward(self, images_B1HW: Tensor, targets_B1HW: Tensor) -> Tensor:
        """The scalar loss of images in [-1, 1]; its gradient reaches `images_B1HW` only."""
        with torch.no_grad():
            targets = self.maps(targets_B1HW)
        return self.distance(self.maps(images_B1HW), targets)

    def maps(self, images_B1HW: Tensor) -> list[Tensor]:
        """The maps f_i of images in [-1, 1], in fp32, their axes in the order in which they are stored."""
        return [as_stored(features).float() for features in self.features(images_B1HW)]

    def distance(self, maps: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """The scalar loss, from the maps of images and of their targets, which have equal shapes."""
        weights = self.weights or [0.5**depth for depth in reversed(range(len(maps)))]
        loss = maps[0].new_zeros(())
        for weight, image_map, target_map in zip(weights, maps, targets, strict=True):
            loss = loss + weight * functional.l1_loss(image_map, target_map)
        return loss


def load_perceptual(
    settings: Perceptual, weights: Path | None, device: torch.device
) -> PerceptualLoss | None:
    """The configured loss, its network read from `weights`; None if the settings want no such loss.

    Raises ValueError if `weights` are missing, or given although the settings want none.
    """
    if (weights is None) != (settings.kind == "none"):
        raise ValueError(f"perceptual is {settings.kind}, but its weights are {weights}; change either")
    if weights is None:
        return None
    if settings.kind == "vgg19":
        return vgg19_loss(weights).to(device)
    return PerceptualLoss(load_encoder(weights))


def perceptual_on(
    data: SliceSet, settings: Perceptual, weights: Path | None, device: torch.device
) -> PerceptualLoss | None:
    """The same for a training on `data`, whose slices an encoder must have been trained on.

    Raises ValueError if it was trained on others.
    """
    if weights and settings.kind == "encoder":
        check_trained_on(weights, data)
    return load_perceptual(settings, weights, device)


def vgg19_loss(weights: Path) -> PerceptualLoss:
    """SPADE's loss: VGG-19 with the weights of pix2pixHD, 1/32, 1/16, 1/8, 1/4, 1."""
    features = Vgg19Features()
    features.load(weights)
    return PerceptualLoss(features, (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1))


class Vgg19Features(nn.Module):
    """The maps relu1_1 … relu5_1 of VGG-19 (Simonyan & Zisserman 2015), modules named as in torchvision."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels_in = 3
        for channels in VGG19:
            if channels is None:
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels_in, channels, 3, padding=1), nn.ReLU()]
                channels_in = channels
        self.features = nn.Sequential(*layers)

    def forward(self, images_B1HW: Tensor) -> list[Tensor]:
        """Five maps of grey images in [-1, 1], which VGG sees as colour images of that range, as in SPADE."""
        # Each channel of an image is a grey image of its own.
        x_BCHW = images_B1HW.flatten(0, 1)[:, None].expand(-1, 3, -1, -1)
        maps = []
        for index, layer in enumerate(self.features):
            x_BCHW = layer(x_BCHW)
            if index in VGG19_TAPS:
                maps.append(x_BCHW)
        return maps

    def load(self, path: Path) -> None:
        """Fill the layers from torchvision's VGG-19 (.safetensors or .pth); its other layers are ignored.

        Raises ValueError if a layer is missing or has another shape.
        """
        tensors = read_tensors(path)
        try:
            self.load_state_dict({name: tensors[name] for name in self.state_dict()})
        except (KeyError, RuntimeError) as error:
            raise ValueError(
                f"{path} does not hold VGG-19 under torchvision's names (features.0.weight …): "
                f"{str(error).splitlines()[-1].strip()}; save vgg19().state_dict() of torchvision there"
            ) from error
