"""Random changes of images with their masks, on the device.

Shape letters: B batch, C channels, H height, W width. Images of several channels have these last.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from segguided.config.models.movement import Movement
from segguided.config.models.segmenter import Augmentation


def augment(
    images_BHW: Tensor, masks_BHW: Tensor, augmentation: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """uint8 images and their masks, both moved in the same random way; pixels from outside are 0.

    All channels of an image change in the same way, but for their noise.
    """
    count = len(images_BHW)
    device = images_BHW.device

    def random_within(width: float) -> Tensor:
        """Random numbers, uniform in ±width, one for each image, shape (B,)."""
        return (2 * torch.rand(count, generator=generator, device=device) - 1) * width

    turn_B = random_within(1)
    zoom_B = random_within(1)
    right_B = random_within(1)
    down_B = random_within(1)
    grid_BHW2 = _grid(images_BHW, augmentation, turn_B, zoom_B, right_B, down_B)
    moved_BHW = _read_at(images_BHW.float(), grid_BHW2, "bilinear")
    noise_BHW = torch.randn(images_BHW.shape, generator=generator, device=device)
    one_each = (-1, *[1] * (images_BHW.ndim - 1))
    gain_B11 = 1 + random_within(augmentation.contrast).view(one_each)
    offset_B11 = 255 * random_within(augmentation.brightness).view(one_each)
    sigma_B11 = 255 * random_within(augmentation.noise).view(one_each)
    grey_BHW = (moved_BHW - 127.5) * gain_B11 + 127.5 + offset_B11 + sigma_B11 * noise_BHW
    moved_masks_BHW = _read_at(masks_BHW.float(), grid_BHW2, "nearest")
    return grey_BHW.round().clamp(0, 255).to(torch.uint8), moved_masks_BHW.to(masks_BHW.dtype)


def move(
    images_BHW: Tensor, masks_BHW: Tensor, movement: Movement | None, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """uint8 images and their masks, both moved in the same random way; pixels from outside are 0.

    Without `movement` they stay as they are, and nothing random is drawn.
    """
    if movement is None:
        return images_BHW, masks_BHW
    if movement.mirror:
        images_BHW, masks_BHW = mirrored(images_BHW, masks_BHW, generator)
    if not movement.shift:
        return images_BHW, masks_BHW
    reach = [round(movement.shift * side) for side in masks_BHW.shape[1:]]
    steps_2B = torch.stack(
        [
            torch.randint(-most, most + 1, (len(masks_BHW),), generator=generator, device=masks_BHW.device)
            for most in reach
        ]
    )
    return _shifted(images_BHW, *steps_2B), _shifted(masks_BHW, *steps_2B)


def _shifted(values_BHW: Tensor, down_B: Tensor, right_B: Tensor) -> Tensor:
    """Each image moved by whole pixels; channels may be the last axis."""
    moved_BHW = values_BHW
    for axis, step_B in ((1, down_B), (2, right_B)):
        side = values_BHW.shape[axis]
        source_BX = torch.arange(side, device=values_BHW.device) - step_B[:, None]
        places = [1] * values_BHW.ndim
        places[0], places[axis] = source_BX.shape
        index_BHW = source_BX.clamp(0, side - 1).view(places).expand_as(moved_BHW)
        is_inside_BHW = ((source_BX >= 0) & (source_BX < side)).view(places)
        moved_BHW = moved_BHW.gather(axis, index_BHW) * is_inside_BHW
    return moved_BHW


def mirrored(images_BHW: Tensor, masks_BHW: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The images with their masks, each pair mirrored left to right with probability ½."""
    chance_B = torch.rand(len(masks_BHW), generator=generator, device=masks_BHW.device)
    is_mirrored_B11 = (chance_B < 0.5).view(-1, 1, 1)
    is_mirrored_B = is_mirrored_B11.view(-1, *[1] * (images_BHW.ndim - 1))  # channels may be the last axis
    images_BHW = torch.where(is_mirrored_B, images_BHW.flip(2), images_BHW)
    masks_BHW = torch.where(is_mirrored_B11, masks_BHW.flip(-1), masks_BHW)
    return images_BHW, masks_BHW


def _grid(
    images_BHW: Tensor,
    augmentation: Augmentation,
    turn_B: Tensor,
    zoom_B: Tensor,
    right_B: Tensor,
    down_B: Tensor,
) -> Tensor:
    """Where each output pixel is read, in affine_grid's coordinates (-1 to 1), shape (B, H, W, 2).

    The random turns, zooms and shifts are from -1 to 1, times the largest change that `augmentation` allows.
    """
    angle_B = turn_B * math.radians(augmentation.rotation_deg)
    scale_B = 1 + zoom_B * augmentation.scale
    cos_B = torch.cos(angle_B) / scale_B
    sin_B = torch.sin(angle_B) / scale_B
    shift_x_B = 2 * right_B * augmentation.shift
    shift_y_B = 2 * down_B * augmentation.shift
    entries = [cos_B, -sin_B, shift_x_B, sin_B, cos_B, shift_y_B]
    transforms_B23 = torch.stack(entries, 1).view(-1, 2, 3)
    size = [len(images_BHW), 1, *images_BHW.shape[1:3]]
    return functional.affine_grid(transforms_B23, size, align_corners=False)


def _read_at(values_BHW: Tensor, grid_BHW2: Tensor, mode: str) -> Tensor:
    if values_BHW.ndim == 4:
        values_BCHW = values_BHW.movedim(-1, 1)
        return functional.grid_sample(values_BCHW, grid_BHW2, mode=mode, align_corners=False).movedim(1, -1)
    return functional.grid_sample(values_BHW[:, None], grid_BHW2, mode=mode, align_corners=False)[:, 0]
