"""A folder as diffusers' own save_pretrained writes it, and the settings of a model that imports it."""

import torch
from diffusers import UNet2DModel

from segguided.config.models.imported import ImportedModel

SIZE = 16
# More than our own settings can express: other blocks, another activation, more layers.
FOREIGN = {
    "sample_size": SIZE,
    "in_channels": 2,
    "out_channels": 1,
    "layers_per_block": 2,
    "block_out_channels": (8, 16),
    "down_block_types": ("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "ResnetUpsampleBlock2D"),
    "norm_num_groups": 4,
    "act_fn": "gelu",
    "attention_head_dim": 4,
    "resnet_time_scale_shift": "scale_shift",
}


def foreign(folder, seed=0, **changes):
    """A folder as diffusers' own save_pretrained writes it, with random weights."""
    torch.manual_seed(seed)
    unet = UNet2DModel(**{**FOREIGN, **changes})
    unet.save_pretrained(folder / "unet")
    return unet.eval()


def imported(folder, conditioning="index255", **changes):
    return ImportedModel(kind="imported", folder=str(folder), conditioning=conditioning, **changes)
