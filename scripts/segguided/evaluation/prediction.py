"""What a trained segmenter predicts on images: class maps, and features of its deepest level.

Shape letters: B batch, S slices, C channels (classes with background), D features, H height, W width.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from monai.networks.layers import SkipConnection
from torch import Tensor, nn

from segguided.data.slices import SliceSet
from segguided.models.segmenter import load_segmenter
from segguided.models.signals import to_signal
from segguided.training.storage import check_trained_on

BATCH = 64  # inference only: no result depends on it


def load_segmenter_for(slices: SliceSet, weights: Path) -> nn.Module:
    """The segmenter that is to measure `slices`.

    Raises ValueError where it was trained on slices that were prepared by other settings.
    """
    check_trained_on(weights, slices)
    return load_segmenter(weights)


def predict(network: nn.Module, images_SHW: np.ndarray, device: torch.device) -> np.ndarray:
    """Class maps (S, H, W), uint8, for uint8 images, in fp32."""
    logits = _outputs(network, images_SHW, device)
    return np.concatenate([logits_BCHW.argmax(1).to(torch.uint8).cpu().numpy() for logits_BCHW in logits])


def encode(network: nn.Module, images_SHW: np.ndarray, device: torch.device) -> np.ndarray:
    """Features (S, D), fp32: the output of the UNet's deepest level, averaged over its positions."""
    deepest = [part for part in network.modules() if isinstance(part, SkipConnection)][-1].submodule
    features: list[np.ndarray] = []

    def keep(_module: nn.Module, _inputs: tuple[Tensor, ...], output_BDHW: Tensor) -> None:
        features.append(output_BDHW.mean((2, 3)).cpu().numpy())

    hook = deepest.register_forward_hook(keep)
    try:
        for _logits_BCHW in _outputs(network, images_SHW, device):
            pass
    finally:
        hook.remove()
    return np.concatenate(features)


@torch.inference_mode()
def _outputs(network: nn.Module, images_SHW: np.ndarray, device: torch.device) -> Iterator[Tensor]:
    network.eval()
    for start in range(0, len(images_SHW), BATCH):
        images_BHW = torch.from_numpy(np.array(images_SHW[start : start + BATCH])).to(device)
        yield network(to_signal(images_BHW))
