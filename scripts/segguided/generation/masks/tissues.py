"""Drawing tissues: where the parts of each class lie in a mask, before an image is generated from it.

Shape letters: B batch, T tissues, K classes, H and W of the mask, h and w of a map of cells, u and v of the
map of the stage before.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from segguided.config.models.training import Precision
from segguided.devices import autocast
from segguided.generation.masks.cascade import sample_stage
from segguided.generation.sampling import noise_of
from segguided.models.completer.shares import in_cells, shares_of
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.tissues.network import TissueNetwork

Painter = Callable[[Tensor, Sequence[str]], Tensor]


def tissue_painter(network: MaskedDenoiser, seed: int, precision: Precision) -> Painter:
    """A function from masks of classes, uint8, and mask ids to the masks that the network sees.

    Those of a network without tissues are the masks themselves. The tissues are a function of (seed, mask id,
    mask), and each pixel stays in its class.
    """
    tissues = network.tissues
    if tissues is None:
        return lambda masks_BHW, _: masks_BHW

    @torch.inference_mode()
    def paint(masks_BHW: Tensor, names: Sequence[str]) -> Tensor:
        noises = [
            noise_of(seed, names, shape, f"tissues/{number}").to(masks_BHW.device)
            for number, shape in enumerate(tissues.noise_shapes)
        ]
        noises = tissues.enlarged(noises)  # in fp32, as in training
        with autocast(masks_BHW.device, precision):
            return draw_tissues(tissues, masks_BHW, noises)

    return paint


def draw_tissues(tissues: TissueNetwork, masks_BHW: Tensor, noises: Sequence[Tensor]) -> Tensor:
    """Masks of tissues, uint8, of masks of classes; `noises`: in the cells of each stage."""
    classes_BKHW = shares_of(masks_BHW, tissues.division.n_classes)
    shares_BThw = classes_BKHW
    for number, noise_BTuv in enumerate(noises):
        shares_BThw = _sample(tissues, number, noise_BTuv, classes_BKHW, shares_BThw)
    return shares_BThw.argmax(1).to(torch.uint8)


def _sample(
    tissues: TissueNetwork, number: int, x_BThw: Tensor, classes_BKHW: Tensor, coarse_BTuv: Tensor
) -> Tensor:
    """All shares in the cells of stage `number`, from noise; `coarse_BTuv`: of the stage before."""
    stage = tissues.settings.stages[number]
    context = tissues.context(number, in_cells(classes_BKHW, stage.detail), coarse_BTuv)
    whole_BThw = in_cells(classes_BKHW, stage.cell)[:, tissues.class_of_T]  # of each tissue its class's share

    def shares_of_noisy(x_BThw: Tensor, time_B: Tensor) -> Tensor:
        logits_BThw = tissues.stages[number](x_BThw, time_B, context)
        return tissues.log_parts(logits_BThw.float()).exp() * whole_BThw

    return sample_stage(stage, x_BThw, shares_of_noisy)
