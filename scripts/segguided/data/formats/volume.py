"""The one frame every reader delivers: LPS, with z (towards the head) as the first array axis.

Axis letters: i, j, k as stored in a file; x to the patient's left, y to posterior, z to superior.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import nibabel as nib
import numpy as np

LEAST_UPRIGHT = 1e-3
SPACINGS_MM = (1e-5, 1e3)
FARTHEST_MM = 1e6  # a kilometre; far beyond, numbers no longer tell one voxel from the next
LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Volume:
    """Voxels of one patient, oriented: array_zyx[z, y, x], x to the left, y to posterior, z to superior.

    `affine` (4, 4) maps (x, y, z, 1) voxel indices to LPS millimetres (DICOM's patient frame). An oblique
    volume stays oblique: axes are permuted and flipped to the closest patient axis, never resampled.
    Of a very large series `array_zyx` has shape, dtype and [z] alone: each slice is read when asked for.
    """

    array_zyx: np.ndarray
    affine: np.ndarray
    provenance: Mapping[str, Any] = field(default_factory=dict)  # JSON values: source UIDs, scanner …
    slice_numbers: Mapping[str, int] | None = None  # by mask id, where files name slices and tell no position
    padding: float | None = None  # the value of voxels that are no image; below all others
    inverted: bool = False  # whether the largest value is black
    counts: np.ndarray | None = None  # of int16 voxels by their bits, where the reader has counted them

    @property
    def spacing_zyx_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along z, y and x, in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def positions_mm(self) -> np.ndarray:
        """LPS z coordinate of each slice's first voxel, in mm, shape (Z,), ascending; else its number."""
        if self.slice_numbers is not None:
            return np.array(list(self.slice_numbers.values()), float)
        return np.asarray(self.affine[2, 3] + self.affine[2, 2] * np.arange(self.array_zyx.shape[0]))


def oriented(
    array_ijk: np.ndarray, lps_affine: np.ndarray, provenance: Mapping[str, Any] | None = None
) -> Volume:
    """The Volume of an array with axes (i, j, k) and the (4, 4) affine from those indices to LPS mm.

    Raises ValueError when the affine is singular or not finite, its spacing or position is no body's, or the
    array is not 3-D.
    """
    if array_ijk.ndim != 3:
        raise ValueError(f"expected a 3-D volume, got shape {array_ijk.shape}")
    _check_affine(lps_affine)
    # nibabel reasons in RAS: there, LPS directions read ("L", "P", "S").
    ras_affine = LPS_FROM_RAS @ lps_affine
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(ras_affine), nib.orientations.axcodes2ornt(("L", "P", "S"))
    )
    array_xyz = nib.orientations.apply_orientation(array_ijk, turn)
    affine = LPS_FROM_RAS @ ras_affine @ nib.orientations.inv_ornt_aff(turn, array_ijk.shape)
    return Volume(_by_slices(array_xyz.transpose(2, 1, 0)), affine, dict(provenance or {}))


def _check_affine(lps_affine: np.ndarray) -> None:
    spacing = np.linalg.norm(lps_affine[:3, :3], axis=0)
    # The share of a box's volume that its slanted edges leave; a gantry's tilt of 30° leaves 0.87.
    finite = np.isfinite(lps_affine).all() and spacing.all()
    if not finite or abs(np.linalg.det(lps_affine[:3, :3] / spacing)) < LEAST_UPRIGHT:
        raise ValueError(
            f"the volume's affine is not invertible: {lps_affine.tolist()}; mend the file's header"
        )
    if spacing.min() < SPACINGS_MM[0] or spacing.max() > SPACINGS_MM[1]:
        raise ValueError(
            f"expected voxels of {SPACINGS_MM[0]:g} to {SPACINGS_MM[1]:g} mm, got "
            f"{' × '.join(f'{mm:g}' for mm in spacing)} mm; is the unit of length in the header another?"
        )
    if (farthest := np.abs(lps_affine[:3, 3]).max()) > FARTHEST_MM:
        raise ValueError(
            f"expected the first voxel within {FARTHEST_MM:,.0f} mm of the scanner's centre, got "
            f"{farthest:g} mm; correct the position in the file's header"
        )


def _by_slices(array_zyx: np.ndarray) -> np.ndarray:
    """The array with each slice in one piece of memory: copied unless its axes are only flipped."""
    steps = np.abs(array_zyx.strides)
    return array_zyx if (steps[:-1] >= steps[1:]).all() else np.ascontiguousarray(array_zyx)


def labels_in(labels_zyx: np.ndarray) -> list[int]:
    """The values of an unsigned label map, ascending; one slice at a time."""
    if labels_zyx.dtype == np.uint8:
        counts = sum(np.bincount(slice_yx.ravel(), minlength=256) for slice_yx in labels_zyx)
        return [int(label) for label in np.flatnonzero(counts)]
    found: set[int] = set()
    for slice_yx in labels_zyx:
        found |= set(np.unique(slice_yx).tolist())
    return sorted(found)


def check_same_grid(image: Volume, mask: Volume, what: str, tolerance_mm: float = 0.1) -> None:
    """Raise ValueError unless image and mask have one shape and the same corners (to `tolerance_mm`)."""
    if image.array_zyx.shape != mask.array_zyx.shape:
        raise ValueError(
            f"{what}: the image has shape {image.array_zyx.shape} (z, y, x) and the mask "
            f"{mask.array_zyx.shape}; they must be drawn on the same grid: "
            "check that both belong to one series"
        )
    # At the corners, for there an error of spacing or direction, multiplied by the index, is largest.
    ends_xyz = [(0, n - 1) for n in reversed(image.array_zyx.shape)]
    corners = np.array([(*corner, 1) for corner in itertools.product(*ends_xyz)])
    apart = float(np.abs((image.affine - mask.affine) @ corners.T).max())
    if apart > tolerance_mm:
        raise ValueError(
            f"{what}: image and mask lie on different grids (corners up to {apart:.2f} mm apart); "
            "check that both belong to one series"
        )


def check_finite(volume: Volume, what: str) -> None:
    """Raise ValueError when a voxel is NaN or infinite."""
    if not np.issubdtype(volume.array_zyx.dtype, np.floating):
        return
    bad_z = [int(np.count_nonzero(~np.isfinite(slice_yx))) for slice_yx in volume.array_zyx]
    if any(bad_z):
        z = int(np.argmax(np.array(bad_z) > 0))
        y, x = (int(i) for i in np.argwhere(~np.isfinite(volume.array_zyx[z]))[0])
        raise ValueError(
            f"{what}: {sum(bad_z)} voxels are NaN or infinite, the first at z={z}, y={y}, x={x}; "
            "every voxel needs a number: repair the file or drop the patient"
        )
