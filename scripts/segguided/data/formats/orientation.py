"""Turns every volume to one orientation, LPS: x to the patient's left, y to posterior, z to superior.

Where a file says how its voxels are placed is read per format: dicom/orientation.py, nifti_orientation.py and
nrrd_orientation.py. Axis letters: i, j, k as stored in a file; x, y, z in the patient.
"""

from collections.abc import Mapping
from typing import Any

import nibabel as nib
import numpy as np

from segguided.data.formats.volume import Volume

LEAST_UPRIGHT = 1e-3
SPACINGS_MM = (1e-5, 1e3)
FARTHEST_MM = 1e6  # a kilometre; much farther away, float numbers no longer separate two voxels
LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def oriented(
    array_ijk: np.ndarray, lps_affine: np.ndarray, provenance: Mapping[str, Any] | None = None
) -> Volume:
    """The Volume, in LPS, of an array with axes (i, j, k).

    `lps_affine` (4, 4) maps the array's indices (i, j, k, 1) to LPS mm. Axes are permuted and flipped to the
    closest axis of the patient; no voxel is resampled. Raises ValueError when the affine is singular or not
    finite, when its spacing or position fits no body, or when the array is not 3-D.
    """
    if array_ijk.ndim != 3:
        raise ValueError(f"expected a 3-D volume, got shape {array_ijk.shape}")
    _check_affine(lps_affine)
    # nibabel works in RAS, where the directions of LPS are called ("L", "P", "S").
    ras_affine = LPS_FROM_RAS @ lps_affine
    stored_axes = nib.orientations.io_orientation(ras_affine)
    lps_axes = nib.orientations.axcodes2ornt(("L", "P", "S"))
    turn = nib.orientations.ornt_transform(stored_axes, lps_axes)
    array_xyz = nib.orientations.apply_orientation(array_ijk, turn)
    affine = LPS_FROM_RAS @ ras_affine @ nib.orientations.inv_ornt_aff(turn, array_ijk.shape)
    return Volume(_slice_by_slice(array_xyz.transpose(2, 1, 0)), affine, dict(provenance or {}))


def _check_affine(lps_affine: np.ndarray) -> None:
    spacing = np.linalg.norm(lps_affine[:3, :3], axis=0)
    finite = np.isfinite(lps_affine).all() and spacing.all()
    # The determinant of the unit axes: 1 when they are perpendicular, 0.87 for a gantry tilted by 30°.
    if not finite or abs(np.linalg.det(lps_affine[:3, :3] / spacing)) < LEAST_UPRIGHT:
        raise ValueError(
            f"the volume's affine is not invertible: {lps_affine.tolist()}; correct the file's header"
        )
    if spacing.min() < SPACINGS_MM[0] or spacing.max() > SPACINGS_MM[1]:
        raise ValueError(
            f"expected voxels of {SPACINGS_MM[0]:g} to {SPACINGS_MM[1]:g} mm, got "
            f"{' × '.join(f'{mm:g}' for mm in spacing)} mm; is the header in another unit of length?"
        )
    farthest = np.abs(lps_affine[:3, 3]).max()
    if farthest > FARTHEST_MM:
        raise ValueError(
            f"expected the first voxel within {FARTHEST_MM:,.0f} mm of the scanner's centre, got "
            f"{farthest:g} mm; correct the position in the file's header"
        )


def _slice_by_slice(array_zyx: np.ndarray) -> np.ndarray:
    """The array with each slice in one piece of memory; copied unless its axes are only flipped."""
    steps = np.abs(array_zyx.strides)
    in_order = (steps[:-1] >= steps[1:]).all()
    return array_zyx if in_order else np.ascontiguousarray(array_zyx)
