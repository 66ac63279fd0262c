"""A segmenter that reads the classes off the grey values, and slices for it."""

import numpy as np
from monai.networks.layers import SkipConnection
from torch import nn

from segguided.data.slices import SliceSet, Stack


class Reader(nn.Module):
    """Reads the class off the grey value (0, 100, 200), or misses class `blind`."""

    def __init__(self, blind=None):
        super().__init__()
        self.blind = blind
        self.deepest = SkipConnection(nn.AvgPool2d(2))

    def forward(self, x_BCHW):
        self.deepest.submodule(x_BCHW)
        k_BHW = ((x_BCHW[:, 0] + 1) * 127.5 / 100).round().long()
        logits_BCHW = nn.functional.one_hot(k_BHW, 3).movedim(-1, 1).float()
        if self.blind:
            logits_BCHW[:, self.blind] = -1
        return logits_BCHW


def example_set(n=6):
    rng = np.random.default_rng(0)
    stacks = []
    for patient in ("p", "q", "r", "s"):
        masks_SHW = rng.integers(0, 3, (n, 8, 8)).astype(np.uint8)
        stacks.append(Stack(patient, masks_SHW * 100, masks_SHW, np.arange(float(n)), {}))
    return SliceSet(stacks)
