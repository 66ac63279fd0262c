"""The Volume that every reader returns, in LPS, and the checks of an image against its mask.

Axis letters: x to the patient's left, y to posterior, z to superior; z is the first axis of the array.
orientation.py turns stored voxels to this frame.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Volume:
    """Voxels of one patient in LPS: array_zyx[z, y, x], x to the left, y to posterior, z to superior.

    `affine` (4, 4) maps (x, y, z, 1) voxel indices to LPS millimetres (DICOM's patient frame). An oblique
    volume stays oblique: axes are permuted and flipped to the closest patient axis, never resampled.
    For a very large series, `array_zyx` has only shape, dtype and [z]: each slice is read when it is asked
    for.
    """

    array_zyx: np.ndarray
    affine: np.ndarray
    provenance: Mapping[str, Any] = field(default_factory=dict)  # JSON values: source UIDs, scanner …
    slice_numbers: Mapping[str, int] | None = None  # by mask id, for files that name slices, not positions
    padding: float | None = None  # the value of voxels outside the image; below all others
    inverted: bool = False  # whether the largest value is black
    counts: np.ndarray | None = None  # how many int16 voxels have each bit pattern, if the reader counted

    @property
    def spacing_zyx_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along z, y and x, in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def positions_mm(self) -> np.ndarray:
        """LPS z coordinate of each slice's first voxel in mm, or the slice's number; (Z,), ascending."""
        if self.slice_numbers is not None:
            return np.array(list(self.slice_numbers.values()), float)
        return np.asarray(self.affine[2, 3] + self.affine[2, 2] * np.arange(self.array_zyx.shape[0]))


def labels_in(labels_zyx: np.ndarray) -> list[int]:
    """The values of an unsigned label map, ascending; looks at one slice at a time."""
    if labels_zyx.dtype == np.uint8:
        counts = sum(np.bincount(slice_yx.ravel(), minlength=256) for slice_yx in labels_zyx)
        return [int(label) for label in np.flatnonzero(counts)]
    labels: set[int] = set()
    for slice_yx in labels_zyx:
        labels |= set(np.unique(slice_yx).tolist())
    return sorted(labels)


def check_same_grid(image: Volume, mask: Volume, what: str, tolerance_mm: float = 0.1) -> None:
    """Raise ValueError unless image and mask have the same shape and the same corners (to `tolerance_mm`)."""
    if image.array_zyx.shape != mask.array_zyx.shape:
        raise ValueError(
            f"{what}: the image has shape {image.array_zyx.shape} (z, y, x) and the mask "
            f"{mask.array_zyx.shape}; they must be on the same grid: "
            "check that both belong to one series"
        )
    # An error of spacing or direction grows with the index, so it is largest at a corner.
    ends_xyz = [(0, n - 1) for n in reversed(image.array_zyx.shape)]
    corners = np.array([(*corner, 1) for corner in itertools.product(*ends_xyz)])
    apart = float(np.abs((image.affine - mask.affine) @ corners.T).max())
    if apart > tolerance_mm:
        raise ValueError(
            f"{what}: image and mask are on different grids (corners up to {apart:.2f} mm apart); "
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
