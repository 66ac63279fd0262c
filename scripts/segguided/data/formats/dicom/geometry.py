"""Where the slices of a DICOM series lie: their order, the checks that none is missing, the affine."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SAME_POSITION_MM = 0.01
UNEVEN_MM, UNEVEN_SHARE = 0.02, 0.01  # deviation of a step; scanners round positions to 0.01 mm at worst
SAME_DIRECTION = 1e-3  # difference of direction cosines: 0.4 mm at the corner of a 400 mm image


@dataclass(frozen=True)
class Slice:
    """Where one file's image lies, in LPS; `axes[0]` runs along a row, `axes[1]` down a column."""

    path: Path
    series_uid: str
    instance_uid: str
    shape: tuple[int, int]  # rows, columns
    axes: np.ndarray  # (2, 3) unit vectors
    pixel_mm: np.ndarray  # (2,) between rows, between columns
    position_mm: np.ndarray  # (3,) centre of the first pixel

    @property
    def is_axial(self) -> bool:
        """Whether its normal is closest to the patient's long axis."""
        return bool(np.abs(np.cross(*self.axes)).argmax() == 2)

    def belongs_to(self, first: "Slice") -> bool:
        """Whether its pixels fit the volume that `first` began."""
        return self.series_uid == first.series_uid and self.shape == first.shape


def check_one_series(folder: Path, slices: Sequence[Slice]) -> None:
    """Raise ValueError, naming the series with their counts, if there are several."""
    counts = Counter(s.series_uid for s in slices)
    if len(counts) > 1:
        listed = ", ".join(f"{uid} ({count} files)" for uid, count in counts.most_common())
        raise ValueError(
            f"{folder}: expected one series, got {len(counts)}: {listed}; keep one series a folder"
        )


def check_one_plane(slices: Sequence[Slice]) -> None:
    """Raise ValueError unless all slices share size, orientation and pixel spacing with the first."""
    first = slices[0]
    for other in slices[1:]:
        for what, expected, got, tolerance in (
            ("Rows and Columns", first.shape, other.shape, 0.0),
            ("ImageOrientationPatient", first.axes, other.axes, SAME_DIRECTION),
            ("PixelSpacing", first.pixel_mm, other.pixel_mm, 1e-4),
        ):
            if np.abs(np.subtract(expected, got)).max() > tolerance:
                raise ValueError(
                    f"{other.path}: expected the {what} of {first.path.name}, {np.ravel(expected).tolist()}, "
                    f"got {np.ravel(got).tolist()}; move slices of another acquisition (a localizer?) away"
                )


def slice_order(folder: Path, slices: Sequence[Slice]) -> list[int]:
    """Indices of the slices, ascending along the patient axis closest to their normal.

    Raises ValueError for a duplicate position, a gap, and uneven steps.
    """
    if len(slices) < 2:
        raise ValueError(f"{folder}: expected at least 2 slices, got 1 file; download the series again")
    normal = np.cross(*slices[0].axes)
    normal *= np.sign(normal[np.abs(normal).argmax()])
    positions = np.array([s.position_mm for s in slices])
    order = np.argsort(positions @ normal, kind="stable")
    ordered = [slices[k] for k in order]
    _check_complete(folder, ordered, positions[order] @ normal)
    _check_even(folder, ordered, np.diff(positions[order], axis=0))
    return [int(k) for k in order]


def _check_complete(folder: Path, ordered: Sequence[Slice], along_mm: np.ndarray) -> None:
    """Refuse two slices at one position, and a gap of a slice or more."""
    steps = np.diff(along_mm)
    k = int(steps.argmin())
    if steps[k] < SAME_POSITION_MM:
        raise ValueError(
            f"{folder}: expected one file a slice position, got {ordered[k].path.name} and "
            f"{ordered[k + 1].path.name} both at {along_mm[k]:.2f} mm (duplicate slice)"
            f"{_likeness(ordered[k], ordered[k + 1])}; keep one copy, and one time point of a dynamic series"
        )
    k, usual = int(steps.argmax()), float(np.median(steps))
    if steps[k] > 1.5 * usual:
        raise ValueError(
            f"{folder}: expected a slice every {usual:.2f} mm, but none lies between {along_mm[k]:.2f} and "
            f"{along_mm[k + 1]:.2f} mm ({max(1, round(steps[k] / usual) - 1)} missing); "
            "download the series again"
        )


def _likeness(one: Slice, other: Slice) -> str:
    same = one.instance_uid and one.instance_uid == other.instance_uid
    return ", copies of one SOPInstanceUID" if same else ""


def _check_even(folder: Path, ordered: Sequence[Slice], steps_mm: np.ndarray) -> None:
    """Refuse steps (N-1, 3) that differ from their mean, in length or sideways."""
    mean = steps_mm.mean(axis=0)
    allowed = max(UNEVEN_MM, UNEVEN_SHARE * float(np.linalg.norm(mean)))
    off = np.abs(steps_mm - mean).max(axis=1)
    k = int(off.argmax())
    if off[k] > allowed:
        raise ValueError(
            f"{folder}: expected evenly spaced slices, but the spacing is uneven: the step from "
            f"{ordered[k].path.name} to {ordered[k + 1].path.name} deviates by {off[k]:.3g} mm from the mean "
            f"({allowed:.3g} mm are allowed); resample the series or leave the patient out"
        )


def series_affine(first: Slice, last: Slice, count: int) -> np.ndarray:
    """(column, row, slice, 1) to LPS mm (4, 4); the true slice step keeps the shear of a tilted gantry."""
    affine = np.eye(4)
    affine[:3, 0] = first.axes[0] * first.pixel_mm[1]
    affine[:3, 1] = first.axes[1] * first.pixel_mm[0]
    affine[:3, 2] = (last.position_mm - first.position_mm) / (count - 1)
    affine[:3, 3] = first.position_mm
    return affine
