"""Volumes become 2-D slices: window, selection, padding to a square, resizing.

Shape letters: S slices, H height (y, anterior at the top), W width (x, patient's right at the left).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from segguided.config.datasets import Preparation
from segguided.config.intensity import Intensity
from segguided.data.formats.bounds import refuse_huge
from segguided.data.formats.values import Values
from segguided.data.formats.volume import Volume, check_finite, check_same_grid
from segguided.data.preparations import preparation_digest
from segguided.data.slices import Stack

FILTERS = {
    "triangle": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}
# A slice that was padded to a square may have 4096 × 4096 pixels, or 4 times as many as before.
LARGEST_SQUARE = 1 << 24
LARGEST_SHARE = 4
LEAST_PIXELS = 1.5  # that the narrow side of an image takes in its square


@dataclass(frozen=True)
class _GreyVolume:
    """One channel: its volume, and the raw values that become 0 and 255."""

    volume: Volume
    intensity: Intensity
    low: float
    high: float


def to_stack(
    patient: str,
    image: Volume,
    mask: Volume,
    preparation: Preparation,
    not_annotated: tuple[int, ...] = (),
) -> Stack:
    """The slices of a patient: its volume windowed, selected, padded to squares and resized.

    Images are resized with the anti-aliasing filter of `interpolation`, masks with nearest neighbour.
    `not_annotated`: values of the classes that the patient was not annotated for.
    Raises ValueError for unequal grids, NaN voxels, a class outside the table, voxels of a class that is not
    annotated, or a patient without slices.
    """
    return channels_to_stack(patient, [image], mask, preparation, not_annotated)


def channels_to_stack(
    patient: str,
    images: Sequence[Volume],
    mask: Volume,
    preparation: Preparation,
    not_annotated: tuple[int, ...] = (),
) -> Stack:
    """The same of images with several channels, a volume each, all on the grid of the mask."""
    channels = []
    for number, (volume, intensity) in enumerate(zip(images, preparation.intensities, strict=True), 1):
        subject = f"{patient}, channel {number}" if len(images) > 1 else patient
        check_same_grid(volume, mask, subject)
        check_finite(volume, subject)
        if number == 1:
            _check_classes(patient, mask.array_zyx, preparation)
            _check_not_annotated(patient, mask.array_zyx, preparation, not_annotated)
        channels.append(_GreyVolume(volume, intensity, *_grey_range(subject, volume, intensity)))
    image = images[0]
    kept = _kept_slices(patient, mask.array_zyx, preparation)
    images_SHW, masks_SHW = _squares(patient, channels, mask, kept, preparation)
    mask_ids = None
    if image.slice_numbers is not None:
        numbers = list(image.slice_numbers)
        mask_ids = tuple(numbers[z] for z in kept)
    return Stack(
        patient,
        images_SHW,
        masks_SHW,
        image.positions_mm[kept],
        _provenance(channels, mask, preparation),
        mask_ids,
        not_annotated,
    )


def _squares(
    patient: str,
    channels: Sequence[_GreyVolume],
    mask: Volume,
    kept: np.ndarray,
    preparation: Preparation,
) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks (S, H, W), uint8, of the kept slices: padded to squares and resized.

    Images of several channels have these as last axis.
    """
    size = preparation.image_size
    image = channels[0].volume
    pad = _padding(patient, image)
    _check_width(patient, image, size)
    shape = (len(kept), size, size)
    refuse_huge(f"patient {patient}", (len(channels) + 1) * math.prod(shape), 1)
    images = [np.empty(shape, np.uint8) for _ in channels]
    masks_SHW = np.empty(shape, np.uint8)
    image_filter = FILTERS[preparation.interpolation]
    for row, z in enumerate(kept):
        for images_SHW, channel in zip(images, channels, strict=True):
            grey_yx = _grey_values(channel.volume, z, channel.low, channel.high)
            image_HW = _resize(np.pad(grey_yx, pad), size, image_filter)
            images_SHW[row] = np.rint(np.clip(image_HW, 0, 255))  # cubic and Lanczos overshoot at edges
        masks_SHW[row] = _resize(np.pad(mask.array_zyx[z], pad), size, Image.Resampling.NEAREST)
    return images[0] if len(images) == 1 else np.stack(images, axis=-1), masks_SHW


def _grey_values(image: Volume, z: int, low: float, high: float) -> np.ndarray:
    """Slice z (y, x) from 0 to 255, float32; padding is black, also where small values are white."""
    values_yx = image.array_zyx[z]
    with np.errstate(over="ignore"):  # the value that marks padding in a float32 volume may be huge
        scaled_yx = (values_yx.astype(np.float32) - low) * (255 / (high - low))
    grey_yx = np.clip(scaled_yx, 0, 255)
    if image.inverted:
        grey_yx = 255 - grey_yx
    if image.padding is not None:
        grey_yx[values_yx == image.padding] = 0
    return np.asarray(grey_yx)


def _grey_range(patient: str, image: Volume, intensity: Intensity) -> tuple[float, float]:
    """The values that map to 0 and 255. Raises ValueError where they leave one grey value."""
    values = Values(image.array_zyx, image.padding, image.counts)
    darkest, brightest = values.ends
    if np.isnan(darkest):
        raise ValueError(
            f"patient {patient}: expected an image, but every voxel is padding; drop the patient, or fix "
            "PixelPaddingValue in its headers"
        )
    low, high = intensity_range(values, intensity)
    if low >= high or brightest <= low or darkest >= high:
        raise ValueError(
            f"patient {patient}: voxels run from {darkest:g} to {brightest:g}, which {low:g}…{high:g} maps "
            "to one grey value; choose another `intensity`, or drop the patient if it holds no image"
        )
    return low, high


def intensity_range(values: Values, intensity: Intensity) -> tuple[float, float]:
    """The raw values that map to 0 and 255."""
    if intensity.kind == "as-is":
        return 0, 255
    if intensity.kind == "window":
        return intensity.low, intensity.high
    low, high = values.percentiles((intensity.low, intensity.high))
    return low, high


def _check_classes(patient: str, mask_zyx: np.ndarray, preparation: Preparation) -> None:
    highest = int(mask_zyx.max(initial=0))
    if highest > len(preparation.classes):
        raise ValueError(
            f"patient {patient}: mask value {highest} is outside the class table, which defines "
            f"1…{len(preparation.classes)} ({', '.join(preparation.class_names)}); add the class or fix "
            "the mask"
        )
    if highest == 0 and len(mask_zyx) > 1:  # a single slice may well show none of the classes
        raise ValueError(
            f"patient {patient} is empty: no voxel of its mask is labelled; fix the mask or drop it"
        )


def _check_not_annotated(
    patient: str, mask_zyx: np.ndarray, preparation: Preparation, not_annotated: tuple[int, ...]
) -> None:
    """Raise ValueError where a label map holds such a class: what lies below its voxels is not known."""
    for value in not_annotated:
        voxels = int(np.count_nonzero(mask_zyx == value))
        if voxels:
            name = preparation.class_names[value - 1]
            raise ValueError(
                f"patient {patient}: the patient table says that {name} is not annotated, but the mask has "
                f"{voxels} voxels of it, and which class lies below them is not known; remove {name} from "
                "the column not_annotated, or give these voxels another label"
            )


def _kept_slices(patient: str, mask_zyx: np.ndarray, preparation: Preparation) -> np.ndarray:
    """The z of each slice that is kept. Raises ValueError where none is."""
    least_share = preparation.slices.min_foreground
    share_S = np.array([np.count_nonzero(mask_yx) / mask_yx.size for mask_yx in mask_zyx])
    kept = np.flatnonzero(share_S >= least_share)[:: preparation.slices.every]
    if not len(kept):
        raise ValueError(
            f"patient {patient} has no slice left: {len(mask_zyx)} slices, none with the share "
            f"{least_share:g} of labelled pixels that was asked for; lower slices.min_foreground or drop the "
            "patient"
        )
    return kept


def _padding(patient: str, image: Volume) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels to add around each slice so that it covers a square of the patient (mm, not pixels)."""
    _, height, width = image.array_zyx.shape
    _, mm_y, mm_x = image.spacing_zyx_mm
    side_mm = max(height * mm_y, width * mm_x)
    across = side_mm / mm_x
    down = side_mm / mm_y
    if across * down > max(LARGEST_SQUARE, LARGEST_SHARE * height * width):
        raise ValueError(
            f"patient {patient}: expected pixels about as wide as high, got {mm_x:g} × {mm_y:g} mm, so that "
            f"a square around {width} × {height} of them takes {across:,.0f} × {down:,.0f} pixels; fix the "
            "spacing in the file's header, or resample the volume"
        )
    return square_padding(height, width, mm_y, mm_x)


def square_padding(
    height: int, width: int, mm_y: float, mm_x: float
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels to add above and below, left and right, so that a slice covers a square of the patient."""
    side_mm = max(height * mm_y, width * mm_x)
    add_y = round(side_mm / mm_y) - height
    add_x = round(side_mm / mm_x) - width
    return (add_y // 2, add_y - add_y // 2), (add_x // 2, add_x - add_x // 2)


def _check_width(patient: str, image: Volume, size: int) -> None:
    """Raise ValueError where resizing would leave only a line of the image."""
    _, height, width = image.array_zyx.shape
    _, mm_y, mm_x = image.spacing_zyx_mm
    narrow, wide = sorted((height * mm_y, width * mm_x))
    if size * narrow / wide < LEAST_PIXELS:
        raise ValueError(
            f"patient {patient}: its slices are {width * mm_x:g} × {height * mm_y:g} mm, of which a square "
            f"of {size} pixels shows a line; fix the spacing in the file's header, or drop the patient"
        )


def _resize(array_HW: np.ndarray, size: int, filter_: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(array_HW).resize((size, size), filter_))


def _provenance(channels: Sequence[_GreyVolume], mask: Volume, preparation: Preparation) -> dict[str, Any]:
    """What the slice file says of its origin; of several channels also what each has of its own."""
    image = channels[0].volume
    several = {"channels": [_origin(channel) for channel in channels]} if len(channels) > 1 else {}
    return {
        **several,
        "image": dict(image.provenance),
        "mask": dict(mask.provenance),
        "spacing_zyx_mm": list(image.spacing_zyx_mm),
        "shape_zyx": list(image.array_zyx.shape),
        "intensity": channels[0].intensity.model_dump(),
        "raw_value_of_0": channels[0].low,
        "raw_value_of_255": channels[0].high,
        "image_size": preparation.image_size,
        "resampling": f"image: {preparation.interpolation} filter; mask: nearest neighbour; "
        "padded to a square",
        "slices": preparation.slices.model_dump(),
        "preparation": preparation_digest(preparation),
    }


def _origin(channel: _GreyVolume) -> dict[str, Any]:
    return {
        "image": dict(channel.volume.provenance),
        "intensity": channel.intensity.model_dump(),
        "raw_value_of_0": channel.low,
        "raw_value_of_255": channel.high,
    }
