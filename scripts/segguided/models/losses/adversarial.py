"""What a generator and a patch discriminator learn from: hinge and feature-matching losses, as in SPADE.

Shape letters: B batch, C feature channels, K mask channels, H height, W width.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import parametrize

from segguided.models.on_cpu.order import as_stored
from segguided.models.spade import Discriminator

ScaleMaps = list[list[Tensor]]  # for each scale, the maps of the discriminator's layers, its verdict last
Judge = Callable[[Discriminator, Tensor, Tensor, Tensor], tuple[ScaleMaps, ScaleMaps]]


def judge(
    discriminator: Discriminator, generated_B1HW: Tensor, real_B1HW: Tensor, mask_BKHW: Tensor
) -> tuple[ScaleMaps, ScaleMaps]:
    """The discriminator's maps of generated and of real images, judged in one batch as SPADE does."""
    maps_by_scale = discriminator(torch.cat([generated_B1HW, real_B1HW]), mask_BKHW.repeat(2, 1, 1, 1))
    halves = [[map_BCHW.float().chunk(2) for map_BCHW in scale] for scale in maps_by_scale]
    generated = [[half for half, _ in scale] for scale in halves]
    real = [[half for _, half in scale] for scale in halves]
    return generated, real


def judge_for_generator(
    discriminator: Discriminator, generated_B1HW: Tensor, real_B1HW: Tensor, mask_BKHW: Tensor
) -> tuple[ScaleMaps, ScaleMaps]:
    """The same maps for a step of the generator: only those of generated images have a gradient.

    Each image is judged by itself, so the values are those of one batch. Both halves see the same weights:
    spectral norms are computed once.
    """
    with parametrize.cached():
        with torch.no_grad():
            real = discriminator(real_B1HW, mask_BKHW)
        generated = discriminator(generated_B1HW, mask_BKHW)
    return _in_fp32(generated), _in_fp32(real)


def _in_fp32(maps_by_scale: ScaleMaps) -> ScaleMaps:
    return [[map_BCHW.float() for map_BCHW in scale] for scale in maps_by_scale]


def generator_losses(generated_and_real: tuple[ScaleMaps, ScaleMaps]) -> dict[str, Tensor]:
    """Hinge loss (Lim & Ye 2017) and feature matching (pix2pixHD), each the mean over the scales.

    `generated_and_real` are the discriminator's maps of generated and of real images. The paper's hinge has
    no tanh. MONAI's PatchAdversarialLoss applies one, and then the generator gets no gradient once the
    discriminator is sure.
    """
    adversarial: list[Tensor] = []
    matching: list[Tensor] = []
    for generated, real in zip(*generated_and_real, strict=True):
        adversarial.append(-generated[-1].mean())
        matching.append(_feature_distance(generated[:-1], real[:-1]))
    return {
        "adversarial": torch.stack(adversarial).mean(),
        "feature_matching": torch.stack(matching).mean(),
    }


def discriminator_losses(generated_and_real: tuple[ScaleMaps, ScaleMaps]) -> dict[str, Tensor]:
    """The discriminator's hinge loss, the mean over the scales, of its maps of generated and real images."""
    scales = []
    for generated, real in zip(*generated_and_real, strict=True):
        scales.append(functional.relu(1 + generated[-1]).mean() + functional.relu(1 - real[-1]).mean())
    return {"discriminator": torch.stack(scales).mean()}


def _feature_distance(generated: list[Tensor], real: list[Tensor]) -> Tensor:
    """The sum over the layers of the mean absolute difference."""
    layers = zip(generated, real, strict=True)
    return torch.stack([functional.l1_loss(as_stored(fake), as_stored(true)) for fake, true in layers]).sum()
