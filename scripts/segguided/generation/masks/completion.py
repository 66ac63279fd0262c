"""Completing masks: free classes are filled in by a trained mask completer, kept classes stay as they are.

Shape letters: B batch, K classes with background, H and W of the mask, h and w of a map of cells, u and v of
the map of the stage before.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from segguided.config.models.completer import MaskCompleter
from segguided.config.models.training import Precision
from segguided.data.slices import SliceSet
from segguided.devices import autocast, pick_device
from segguided.generation.masks.cascade import sample_stage
from segguided.generation.sampling import noise_of
from segguided.models.completer.network import CompleterNetwork
from segguided.models.completer.shares import complete_shares, enlarged_noise, in_cells, shares_of, without
from segguided.models.mask_ablation import free_flags
from segguided.training.storage import check_trained_on, load_weights, network_description


class Completer(Protocol):
    """Fills in the free classes of masks."""

    def __call__(self, masks_BHW: Tensor, names: Sequence[str], free: Collection[int]) -> Tensor:
        """uint8 masks whose classes `free` (mask values from 1) are removed and filled in anew.

        Pixels of the other classes stay; each other pixel becomes background or a free class. The result is
        a function of (seed, mask id, kept pixels, `free`); `names` are the mask ids.
        """


def load_completer(weights: Path, seed: int, precision: Precision = "auto") -> Completer:
    """A trained completer, on the accelerator where there is one.

    Raises ValueError for weights of another network.
    """
    with network_description(weights) as description:
        settings = MaskCompleter.model_validate(description["completer"])
        network = CompleterNetwork(settings, description["n_classes"], description["image_size"])
    load_weights(network, weights, pick_device())
    return make_completer(network, seed, precision)


def load_completer_for(
    weights: Path | None, slices: SliceSet, seed: int, precision: Precision
) -> Completer | None:
    """The completer, for masks of `slices`; None without weights.

    Raises ValueError where it was trained on slices that were prepared by other settings.
    """
    if weights is None:
        return None
    check_trained_on(weights, slices)
    return load_completer(weights, seed, precision)


def make_completer(network: CompleterNetwork, seed: int, precision: Precision = "auto") -> Completer:
    """The completer of a trained network."""
    device = next(network.parameters()).device

    @torch.inference_mode()
    def completer(masks_BHW: Tensor, names: Sequence[str], free: Collection[int]) -> Tensor:
        if not free:
            return masks_BHW
        free_BK = free_flags(network.n_classes, free, len(masks_BHW), device)
        kept_BKHW = without(shares_of(masks_BHW.to(device), network.n_classes), free_BK)
        shares_BKhw = kept_BKHW
        for number, stage in enumerate(network.settings.stages):
            side = masks_BHW.shape[-1] // stage.cell
            # A function of (seed, mask id, free classes, stage number).
            shape = (network.n_classes + 1, side // stage.noise_patch, side // stage.noise_patch)
            noise_BKuv = noise_of(seed, names, shape, f"completer/{number}/{sorted(free)}").to(device)
            noise_BKhw = enlarged_noise(noise_BKuv, side)
            with autocast(device, precision):
                shares_BKhw = _sample(network, number, noise_BKhw, kept_BKHW, free_BK, shares_BKhw)
        return shares_BKhw.argmax(1).to(masks_BHW.dtype)

    return completer


def _sample(
    network: CompleterNetwork,
    number: int,
    x_BKhw: Tensor,
    kept_BKHW: Tensor,
    free_BK: Tensor,
    coarse_BKuv: Tensor,
) -> Tensor:
    """All shares in the cells of stage `number`; `coarse_BKuv`: of the stage before."""
    stage = network.settings.stages[number]
    context = network.context(number, in_cells(kept_BKHW, stage.detail), free_BK, coarse_BKuv)
    kept_BKhw = in_cells(kept_BKHW, stage.cell)

    def shares_of_noisy(x_BKhw: Tensor, time_B: Tensor) -> Tensor:
        return complete_shares(network.logits(number, x_BKhw, time_B, context, free_BK), kept_BKhw)

    return sample_stage(stage, x_BKhw, shares_of_noisy)
