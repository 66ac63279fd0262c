"""DICOM orientation: where the slices of a series are in the patient, their order, and the affine to LPS.

Read from ImageOrientationPatient, ImagePositionPatient and PixelSpacing (standard PS3.3, C.7.6.2). Slices are
ordered by their position, never by file name; the volume is turned to LPS in ../orientation.py.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from segguided.data.formats.dicom import attributes

SAME_POSITION_MM = 0.01
UNEVEN_MM = 0.02  # deviation of a step; scanners round positions to 0.01 mm at worst
UNEVEN_SHARE = 0.01  # of the mean step, if that allows more
SAME_DIRECTION = 1e-3  # difference of direction cosines: 0.4 mm at the corner of a 400 mm image


@dataclass(frozen=True)
class SlicePlace:
    """Where one file's image is, in LPS; `axes[0]` runs along a row, `axes[1]` down a column."""

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

    def belongs_to(self, first: "SlicePlace") -> bool:
        """Whether its pixels fit the volume that `first` began."""
        return self.series_uid == first.series_uid and self.shape == first.shape


def read_place(dataset: pydicom.Dataset, path: Path) -> SlicePlace:
    """Where the slice is. Raises ValueError if an attribute is missing or has impossible values."""
    rows = attributes.whole_number(dataset, "Rows", path)
    columns = attributes.whole_number(dataset, "Columns", path)
    axes = attributes.numbers(dataset, "ImageOrientationPatient", 6, path).reshape(2, 3)
    if np.abs(axes @ axes.T - np.eye(2)).max() > SAME_DIRECTION:
        raise ValueError(
            f"{path}: expected two perpendicular unit vectors as ImageOrientationPatient, got "
            f"{axes.ravel().tolist()}; correct the header or leave the series out"
        )
    pixel_mm = attributes.numbers(dataset, "PixelSpacing", 2, path)
    if pixel_mm.min() <= 0 or min(rows, columns) <= 0:
        raise ValueError(
            f"{path}: expected Rows, Columns and PixelSpacing above 0, got {rows}, {columns} and "
            f"{pixel_mm.tolist()}; correct the header or leave the series out"
        )
    return SlicePlace(
        path=path,
        series_uid=str(attributes.required(dataset, "SeriesInstanceUID", path)),
        instance_uid=str(attributes.value(dataset, "SOPInstanceUID", path) or ""),
        shape=(rows, columns),
        axes=axes,
        pixel_mm=pixel_mm,
        position_mm=attributes.numbers(dataset, "ImagePositionPatient", 3, path),
    )


def check_one_series(folder: Path, slices: Sequence[SlicePlace]) -> None:
    """Raise ValueError, naming the series with their counts, if there are several."""
    counts = Counter(place.series_uid for place in slices)
    if len(counts) > 1:
        listed = ", ".join(f"{uid} ({count} files)" for uid, count in counts.most_common())
        raise ValueError(
            f"{folder}: expected one series, got {len(counts)}: {listed}; keep one series a folder"
        )


def check_one_plane(slices: Sequence[SlicePlace]) -> None:
    """Raise ValueError unless all slices have the size, orientation and pixel spacing of the first."""
    first = slices[0]
    for place in slices[1:]:
        for what, expected, got, tolerance in (
            ("Rows and Columns", first.shape, place.shape, 0.0),
            ("ImageOrientationPatient", first.axes, place.axes, SAME_DIRECTION),
            ("PixelSpacing", first.pixel_mm, place.pixel_mm, 1e-4),
        ):
            if np.abs(np.subtract(expected, got)).max() > tolerance:
                raise ValueError(
                    f"{place.path}: expected the {what} of {first.path.name}, {np.ravel(expected).tolist()}, "
                    f"got {np.ravel(got).tolist()}; move slices of another acquisition (a localizer?) away"
                )


def slice_order(folder: Path, slices: Sequence[SlicePlace]) -> list[int]:
    """Indices of the slices, ascending along the patient axis closest to their normal.

    Raises ValueError for two slices at one position, a gap, and uneven steps.
    """
    if len(slices) < 2:
        raise ValueError(f"{folder}: expected at least 2 slices, got 1 file; download the series again")
    normal = np.cross(*slices[0].axes)
    normal *= np.sign(normal[np.abs(normal).argmax()])
    positions = np.array([place.position_mm for place in slices])
    order = np.argsort(positions @ normal, kind="stable")
    ordered = [slices[k] for k in order]
    _check_complete(folder, ordered, positions[order] @ normal)
    _check_even(folder, ordered, np.diff(positions[order], axis=0))
    return [int(k) for k in order]


def _check_complete(folder: Path, ordered: Sequence[SlicePlace], along_mm: np.ndarray) -> None:
    """Refuse two slices at one position, and a gap of a slice or more; `along_mm` (N,) are positions."""
    steps = np.diff(along_mm)
    shortest = int(steps.argmin())
    if steps[shortest] < SAME_POSITION_MM:
        first = ordered[shortest]
        second = ordered[shortest + 1]
        raise ValueError(
            f"{folder}: expected one file a slice position, got {first.path.name} and {second.path.name} "
            f"both at {along_mm[shortest]:.2f} mm (duplicate slice){_copies(first, second)}; keep one copy, "
            "and one time point of a dynamic series"
        )
    longest = int(steps.argmax())
    usual = float(np.median(steps))
    if steps[longest] > 1.5 * usual:
        raise ValueError(
            f"{folder}: expected a slice every {usual:.2f} mm, but there is none between "
            f"{along_mm[longest]:.2f} and {along_mm[longest + 1]:.2f} mm "
            f"({max(1, round(steps[longest] / usual) - 1)} missing); download the series again"
        )


def _copies(first: SlicePlace, second: SlicePlace) -> str:
    """What to add to a message if the two files are copies of one image."""
    same = first.instance_uid and first.instance_uid == second.instance_uid
    return ", copies of one SOPInstanceUID" if same else ""


def _check_even(folder: Path, ordered: Sequence[SlicePlace], steps_mm: np.ndarray) -> None:
    """Refuse steps (N-1, 3) that differ from their mean, in length or sideways."""
    mean = steps_mm.mean(axis=0)
    allowed = max(UNEVEN_MM, UNEVEN_SHARE * float(np.linalg.norm(mean)))
    deviations = np.abs(steps_mm - mean).max(axis=1)
    k = int(deviations.argmax())
    if deviations[k] > allowed:
        raise ValueError(
            f"{folder}: expected evenly spaced slices, but the spacing is uneven: the step from "
            f"{ordered[k].path.name} to {ordered[k + 1].path.name} deviates by {deviations[k]:.3g} mm from "
            f"the mean ({allowed:.3g} mm are allowed); resample the series or leave the patient out"
        )


def series_affine(first: SlicePlace, last: SlicePlace, count: int) -> np.ndarray:
    """The affine (4, 4) from (column, row, slice, 1) to LPS mm.

    Its third column is the true step from slice to slice, which keeps the shear of a tilted gantry.
    """
    affine = np.eye(4)
    affine[:3, 0] = first.axes[0] * first.pixel_mm[1]
    affine[:3, 1] = first.axes[1] * first.pixel_mm[0]
    affine[:3, 2] = (last.position_mm - first.position_mm) / (count - 1)
    affine[:3, 3] = first.position_mm
    return affine
