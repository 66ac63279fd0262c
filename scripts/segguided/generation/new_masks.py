"""New masks of a rare class, made of real ones: mirrored, deformed, with the rare class of another mask.

A mask is moved along a smooth random displacement. Its Jacobian's determinant is kept above a bound, so that
nothing folds or tears: neighbours stay neighbours (Ashburner 2007, NeuroImage 38, 95-113). All that is random
is a function of (seed, mask id, copy).

Shape letters: M masks, H height, W width; a leading 2 holds rows and columns.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates, shift

from segguided.config.experiments import AllowedChanges
from segguided.generation.mask_validity import RealMasks
from segguided.generation.sampling import random_numbers

ATTEMPTS = 20  # at a valid new mask of one source; then the next source takes its place
WEAKER = 0.9  # times the deformation, from attempt to attempt
SMOOTHNESS = 1 / 8  # standard deviation of the displacement's smoothing, of the side: about an organ's size
LEAST_DETERMINANT = 0.3  # of the displacement's Jacobian; at 0 the image folds
LARGEST_SHIFT = 1 / 16  # of the side: how far a pasted region may lie from where it was
DONORS = 32  # masks whose rare class is tried in a source, the most similar mask first, until one fits
FITTING = 0.9  # the share of a pasted region that must lie inside its surroundings; the rest is cut off


@dataclass(frozen=True)
class NewMask:
    """A mask (H, W), what it was made of (a mask id), and the mask whose rare class it has, if another's."""

    mask_HW: np.ndarray
    source: str
    donor: str | None


def make_new_mask(real: RealMasks, row: int, changes: AllowedChanges, seed: int, copy: int) -> NewMask | None:
    """A new mask from the real mask in `row`; None where no attempt gives a valid one."""
    for attempt in range(ATTEMPTS):
        rng = random_numbers(seed, real.names[row], copy, attempt)
        mask_HW, donor = _recombined(real, row, changes, rng)
        if changes.mirror and rng.random() < 0.5:
            mask_HW = mask_HW[:, ::-1]
        mask_HW = deform(mask_HW, changes.deformation * WEAKER**attempt, rng)
        if real.allows(mask_HW):
            return NewMask(mask_HW, real.names[row], donor)
    return None


def deform(mask_HW: np.ndarray, deformation: float, rng: np.random.Generator) -> np.ndarray:
    """The mask along a smooth random displacement, nearest neighbour; see `displacement`."""
    rows_and_columns_2HW = np.indices(mask_HW.shape) + displacement(mask_HW.shape[0], deformation, rng)
    moved_HW: np.ndarray = map_coordinates(mask_HW, rows_and_columns_2HW, order=0, mode="nearest")
    return moved_HW


def displacement(side: int, deformation: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random displacement (2, H, W) in pixels, whose standard deviation is `deformation` × side.

    Where it would fold or nearly so, it is made weaker until it does not.
    """
    noise_2HW = rng.standard_normal((2, side, side))
    smooth_2HW = gaussian_filter(noise_2HW, (0, SMOOTHNESS * side, SMOOTHNESS * side), mode="reflect")
    moved_2HW: np.ndarray = smooth_2HW / smooth_2HW.std() * deformation * side
    while least_determinant(moved_2HW) < LEAST_DETERMINANT:
        moved_2HW = moved_2HW * WEAKER
    return moved_2HW


def least_determinant(displacement_2HW: np.ndarray) -> float:
    """The least determinant of the Jacobian of x + displacement(x)."""
    rows_by_row, rows_by_column = np.gradient(displacement_2HW[0])
    columns_by_row, columns_by_column = np.gradient(displacement_2HW[1])
    determinant_HW = (1 + rows_by_row) * (1 + columns_by_column) - rows_by_column * columns_by_row
    return float(determinant_HW.min())


def without_class(mask_HW: np.ndarray, value: int) -> np.ndarray:
    """The mask where each pixel of the class has the nearest other value."""
    nearest_2HW = distance_transform_edt(mask_HW == value, return_distances=False, return_indices=True)
    return mask_HW[tuple(nearest_2HW)]


def paste(
    mask_HW: np.ndarray, region_HW: np.ndarray, rare_class: int, surroundings: int
) -> np.ndarray | None:
    """The mask with the rare class in `region_HW` (bool); None where too little of the region fits.

    The region fits where the mask holds the class `surroundings`.
    """
    fitting_HW = region_HW & (mask_HW == surroundings)
    if fitting_HW.sum() < FITTING * region_HW.sum() or not fitting_HW.any():
        return None
    return np.where(fitting_HW, rare_class, mask_HW).astype(mask_HW.dtype)


def _recombined(
    real: RealMasks, row: int, changes: AllowedChanges, rng: np.random.Generator
) -> tuple[np.ndarray, str | None]:
    """The mask in `row`, for a share of all with the rare class of another mask, if one fits; and its id."""
    mask_HW = real.masks_MHW[row]
    if rng.random() >= changes.combine or (mask_HW == real.rare_class).all():
        return mask_HW, None
    room_HW = without_class(mask_HW, real.rare_class)
    chosen = [other for other in rng.permutation(len(real.names)) if other != row][:DONORS]
    for donor in sorted(chosen, key=lambda other: _difference(mask_HW, real.masks_MHW[other])):
        region_HW = _shifted(real.masks_MHW[donor] == real.rare_class, rng)
        combined_HW = paste(room_HW, region_HW, real.rare_class, real.surroundings)
        if combined_HW is not None:
            return combined_HW, real.names[donor]
    return mask_HW, None


def _difference(mask_HW: np.ndarray, other_HW: np.ndarray) -> int:
    """In how many pixels two masks differ: few where they show the same level of the body."""
    return int((mask_HW != other_HW).sum())


def _shifted(region_HW: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The region somewhere near its place."""
    farthest = int(LARGEST_SHIFT * len(region_HW))
    offset = rng.integers(-farthest, farthest + 1, 2)
    moved_HW: np.ndarray = shift(region_HW.astype(np.uint8), offset, order=0) > 0
    return moved_HW
