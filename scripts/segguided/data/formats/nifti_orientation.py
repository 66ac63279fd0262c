"""NIfTI orientation: the affine of a header from voxels to RAS mm, and whether it can be trusted.

A header may state two positions, sform and qform. The sform wins, as in nibabel and ITK. If the qform or the
spacing contradicts it, or if no position is stated, the affine is marked as unsure. A header that is not
understood is refused.
"""

from typing import Any

import nibabel as nib
import numpy as np

MM_OF_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # spatial part of xyzt_units: unknown, m, mm, µm
CODES = range(1, 6)  # of a position: scanner, aligned, Talairach, MNI, other template
PATIENT_CODES = (1, 2)  # of these, the ones whose millimetres are the patient's own
# Of the quaternion's squared length; numbers rounded to six digits make it up to 5e-6 too long.
QUATERNION_TOLERANCE = 1e-5
SAME_SPACING = 0.01  # relative


def read_affine(header: Any) -> tuple[np.ndarray, bool]:
    """The affine (4, 4) from voxel indices (i, j, k, 1) to RAS mm, and whether it is unsure.

    `header` is nibabel's, unchecked; its small errors are repaired in place. Raises ValueError, saying what
    to do, if the header places no voxel.
    """
    _repair(header)
    unit = int(header["xyzt_units"]) & 7
    if unit not in MM_OF_UNIT:
        raise ValueError(
            f"its field xyzt_units names {unit} as the unit of length, which is none (1 metre, 2 millimetre, "
            "3 micrometre, 0 unknown, taken as millimetre); correct the header"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # numbers beyond float64 place no voxel: refused later
        affine, is_unsure = _stated_affine(header)
        # Without signs: axes may have been flipped after the header was lost.
        is_identity = np.allclose(np.abs(affine), np.eye(4))
        in_mm = affine.copy()
        in_mm[:3] *= MM_OF_UNIT[unit]
    return in_mm, is_unsure or bool(is_identity)


def _repair(header: Any) -> None:
    """Correct what other readers forgive too: the sign of a spacing, and a quaternion slightly too long.

    Of pixdim[0], qfac, only the sign counts, as in the standard's own library.
    """
    pixdim = header["pixdim"]
    pixdim[1:4] = np.abs(pixdim[1:4])
    pixdim[0] = -1 if pixdim[0] < 0 else 1
    names = ("quatern_b", "quatern_c", "quatern_d")
    squared = sum(float(header[name]) ** 2 for name in names)
    if abs(float(header.quaternion_threshold)) <= squared - 1 <= QUATERNION_TOLERANCE:
        for name in names:
            header[name] = float(header[name]) / np.sqrt(squared)


def _stated_affine(header: Any) -> tuple[np.ndarray, bool]:
    """The affine in the header's own unit, and whether it is unsure."""
    sform_code = int(header["sform_code"])
    qform_code = int(header["qform_code"])
    has_unknown_code = bool({sform_code, qform_code} - {0, *CODES})
    if sform_code in CODES:
        affine = _usable(header.get_sform(), "sform (srow_x, srow_y, srow_z)")
        return affine, has_unknown_code or _contradicts_sform(header, affine)
    _check_spacing(header)
    if qform_code in CODES:
        affine = _usable(_qform(header), "qform (quatern_b, c, d, qoffset_x, y, z and pixdim)")
        return affine, has_unknown_code
    return _usable(header.get_base_affine(), "spacing (pixdim)"), True


def _usable(affine: np.ndarray, name: str) -> np.ndarray:
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not lengths.all():
        raise ValueError(
            f"its {name} places no voxel: not invertible, got {affine[:3].tolist()}; correct the header"
        )
    return affine


def _check_spacing(header: Any) -> None:
    spacing = header["pixdim"][1:4]
    if not np.isfinite(spacing).all() or not spacing.all():
        raise ValueError(
            f"its spacing (pixdim) is {', '.join(f'{mm:g}' for mm in spacing)}, and no sform gives another; "
            "correct the header"
        )


def _qform(header: Any) -> np.ndarray:
    length = float(np.sqrt(sum(float(header[f"quatern_{axis}"]) ** 2 for axis in "bcd")))
    if not length**2 <= 1 + QUATERNION_TOLERANCE:  # written so that NaN is refused too
        raise ValueError(
            f"its quaternion (quatern_b, quatern_c, quatern_d) has the length {length:.7g}, 1 at the most "
            "is a rotation; correct the header"
        )
    # nibabel's tolerance, the last bits of a double, is too small for numbers that _repair has divided.
    header.quaternion_threshold = -max(abs(header.quaternion_threshold), 4e-15)
    return np.asarray(header.get_qform())


def _contradicts_sform(header: Any, sform: np.ndarray) -> bool:
    """Whether the header also states another spacing, or another qform for the same space."""
    sform_code = int(header["sform_code"])
    qform_code = int(header["qform_code"])
    spacing = np.linalg.norm(sform[:3, :3], axis=0)
    has_same_spacing = np.allclose(header["pixdim"][1:4], spacing, rtol=SAME_SPACING, atol=0)
    if sform_code in PATIENT_CODES and not has_same_spacing:
        return True
    if qform_code not in CODES:
        return False
    try:
        qform = _qform(header)
    except ValueError:
        return True
    if qform_code != sform_code:  # two spaces: only the directions of the axes must agree
        return nib.aff2axcodes(qform) != nib.aff2axcodes(sform)
    shape = header["dim"][1:4]
    return _largest_distance(sform, qform, shape) > _tolerance(spacing, shape)


def _largest_distance(first: np.ndarray, second: np.ndarray, shape: np.ndarray) -> float:
    """How far a corner of the volume is, along an axis, from where the other affine puts it."""
    corners = np.array(np.meshgrid(*((0, n - 1) for n in shape), [1])).reshape(4, -1)
    return float(np.abs((first - second) @ corners).max())


def _tolerance(spacing: np.ndarray, shape: np.ndarray) -> float:
    """A voxel, or what the rounding of a quaternion near half a turn does to a large volume."""
    return max(float(spacing.min()), 0.002 * float(np.linalg.norm(spacing * shape)))
