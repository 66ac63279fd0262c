"""Volumes become 2-D slices: window, selection, padding to a square, resizing.

Shape letters: S slices, H height (y, anterior at the top), W width (x, patient's right at the left).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from segguided.config.data import Intensity, Preparation
from segguided.data.preparations import digest_of
from segguided.data.slices import Stack
from segguided.data.volume import Volume, check_finite, check_same_grid

FILTERS = {
    "triangle": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}


def to_stack(patient: str, image: Volume, mask: Volume, preparation: Preparation) -> Stack:
    """Window, select, square and resize a patient's volume.

    Images are resized with the anti-aliasing filter of `interpolation`, masks with nearest neighbour.
    Raises ValueError for unequal grids, NaN voxels, a class outside the table, or a patient without slices.
    """
    check_same_grid(image, mask, patient)
    check_finite(image, patient)
    _check_classes(patient, mask.array_zyx, preparation)
    low, high = intensity_range(image.array_zyx, preparation.intensity)
    _check_contrast(patient, image.array_zyx, low, high)
    kept = _selected(mask.array_zyx, preparation)
    if not len(kept):
        raise ValueError(
            f"patient {patient} has no slice left: {len(mask.array_zyx)} slices, none with the asked share "
            f"{preparation.slices.min_foreground:g} of labelled pixels; lower slices.min_foreground or drop "
            "the patient"
        )
    pad = _padding(image)
    shape = (len(kept), preparation.image_size, preparation.image_size)
    images_SHW, masks_SHW = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    for row, z in enumerate(kept):
        scaled = (image.array_zyx[z].astype(np.float32) - low) * (255 / (high - low))
        resized = _resize(
            np.pad(np.clip(scaled, 0, 255), pad), preparation.image_size, FILTERS[preparation.interpolation]
        )
        images_SHW[row] = np.rint(np.clip(resized, 0, 255))  # cubic and Lanczos overshoot at edges
        masks_SHW[row] = _resize(
            np.pad(mask.array_zyx[z], pad), preparation.image_size, Image.Resampling.NEAREST
        )
    return Stack(
        patient,
        images_SHW,
        masks_SHW,
        image.positions_mm[kept],
        _provenance(image, mask, preparation, low, high),
        None if image.slice_numbers is None else tuple(list(image.slice_numbers)[z] for z in kept),
    )


def intensity_range(array_zyx: np.ndarray, intensity: Intensity) -> tuple[float, float]:
    """The raw values that map to 0 and 255."""
    if intensity.kind == "as-is":
        return 0, 255
    if intensity.kind == "window":
        return intensity.low, intensity.high
    low, high = percentiles(array_zyx, (intensity.low, intensity.high))
    return low, high


def percentiles(array_zyx: np.ndarray, percents: Sequence[float]) -> list[float]:
    """As numpy.percentile; of int16 by counting slice by slice, so that no copy of the volume is sorted."""
    if array_zyx.dtype != np.int16:
        return [float(value) for value in np.percentile(array_zyx, percents)]
    count_of = np.zeros(1 << 16, np.int64)  # by the bits, which put the negative values last
    for slice_yx in array_zyx:
        bits = np.ascontiguousarray(slice_yx).view(np.uint16).ravel()
        count_of += np.bincount(bits, minlength=len(count_of))
    below = np.cumsum(np.roll(count_of, 1 << 15))
    places = np.asarray(percents) / 100 * (array_zyx.size - 1)
    ranks = np.floor(places).astype(np.int64)
    first, second = (
        np.searchsorted(below, rank, side="right").astype(np.float64) - (1 << 15)
        for rank in (ranks, np.minimum(ranks + 1, array_zyx.size - 1))
    )
    share, step = places - ranks, second - first
    # The order of numpy's own interpolation, which decides the last bit.
    values = np.where(share < 0.5, first + step * share, second - step * (1 - share))
    return [float(value) for value in values]


def _check_contrast(patient: str, array_zyx: np.ndarray, low: float, high: float) -> None:
    darkest, brightest = float(array_zyx.min()), float(array_zyx.max())
    if low >= high or brightest <= low or darkest >= high:
        raise ValueError(
            f"patient {patient}: voxels run from {darkest:g} to {brightest:g}, which {low:g}…{high:g} maps "
            "to one grey value; choose another `intensity`, or drop the patient if it holds no image"
        )


def _check_classes(patient: str, mask_zyx: np.ndarray, preparation: Preparation) -> None:
    highest = int(mask_zyx.max(initial=0))
    if highest > len(preparation.classes):
        raise ValueError(
            f"patient {patient}: mask value {highest} is outside the class table, which defines "
            f"1…{len(preparation.classes)} ({', '.join(preparation.class_names)}); add the class or mend "
            "the mask"
        )
    if highest == 0 and len(mask_zyx) > 1:  # a single slice may well show none of the classes
        raise ValueError(
            f"patient {patient} is empty: no voxel of its mask is labelled; mend the mask or drop it"
        )


def _selected(mask_zyx: np.ndarray, preparation: Preparation) -> np.ndarray:
    share_S = np.array([np.count_nonzero(mask_yx) / mask_yx.size for mask_yx in mask_zyx])
    kept = np.flatnonzero(share_S >= preparation.slices.min_foreground)
    return kept[:: preparation.slices.every]


def _padding(image: Volume) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels to add around each slice so that it covers a square of the patient (mm, not pixels)."""
    _, height, width = image.array_zyx.shape
    _, mm_y, mm_x = image.spacing_zyx_mm
    side_mm = max(height * mm_y, width * mm_x)
    add_y, add_x = round(side_mm / mm_y) - height, round(side_mm / mm_x) - width
    return (add_y // 2, add_y - add_y // 2), (add_x // 2, add_x - add_x // 2)


def _resize(array_HW: np.ndarray, size: int, filter_: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(array_HW).resize((size, size), filter_))


def _provenance(
    image: Volume, mask: Volume, preparation: Preparation, low: float, high: float
) -> dict[str, Any]:
    return {
        "image": dict(image.provenance),
        "mask": dict(mask.provenance),
        "spacing_zyx_mm": list(image.spacing_zyx_mm),
        "shape_zyx": list(image.array_zyx.shape),
        "intensity": preparation.intensity.model_dump(),
        "raw_value_of_0": low,
        "raw_value_of_255": high,
        "image_size": preparation.image_size,
        "resampling": f"image: {preparation.interpolation} filter; mask: nearest neighbour; "
        "padded to a square",
        "slices": preparation.slices.model_dump(),
        "preparation": digest_of(preparation),
        "classes": list(preparation.class_names),
    }
