"""Reads the contours of a DICOM structure set (RTSTRUCT) as masks on the grid of the series they belong to.

Standard PS3.3, C.8.8.5 and C.8.8.6. A voxel is in a structure if its centre lies within an odd number of the
structure's contours in its slice: a contour inside another is a hole, as is one that a keyhole joins to the
outer one. Shape letters: N points, R rows that an edge crosses, H and W of a slice.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pydicom

from segguided.data.formats.dicom import attributes
from segguided.data.formats.segmentation import SegmentMask, numbers_of
from segguided.data.formats.volume import Volume

STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
BESIDE = 0.2  # of the distance of two slices: so far from a slice's centre a contour may lie


def read_structures(
    dataset: pydicom.Dataset, path: Path, names: Sequence[str | None], reference: Volume
) -> Iterator[SegmentMask]:
    """The masks of the named structures (ROIName) of an open file on the grid of `reference`.

    Names are compared without case; None stands for all structures. Raises ValueError for a damaged file, a
    name that it does not hold, contours that are not closed, and contours that lie in no slice of the series.
    """
    try:
        labels = names_by_number(dataset)
        contours = contours_by_number(dataset)
        for name in names:
            mask_zyx = np.zeros(reference.array_zyx.shape, bool)
            for number in numbers_of(path, name, labels):
                _add(mask_zyx, contours.get(number, []), labels[number], reference, path)
            yield SegmentMask(mask_zyx, None)
    except attributes.UNREADABLE as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise attributes.damaged(path, error) from error


def names_by_number(dataset: pydicom.Dataset) -> dict[int, str]:
    """The name (ROIName) of each structure; empty if it has none."""
    return {int(roi.ROINumber): str(roi.get("ROIName", "")) for roi in dataset.StructureSetROISequence}


def contours_by_number(dataset: pydicom.Dataset) -> dict[int, Sequence[pydicom.Dataset]]:
    """The contours of each structure that has an entry for them; it may be empty."""
    return {
        int(roi.ReferencedROINumber): roi.get("ContourSequence") or [] for roi in dataset.ROIContourSequence
    }


def _add(
    mask_zyx: np.ndarray, contours: Sequence[pydicom.Dataset], name: str, reference: Volume, path: Path
) -> None:
    """Set the voxels of one structure."""
    by_slice: dict[int, list[np.ndarray]] = {}
    for contour in contours:
        z, points_N2 = _in_slice(contour, name, reference, path)
        if any(np.array_equal(points_N2, other) for other in by_slice.get(z, [])):
            raise ValueError(
                f"{path}: {name} has a contour twice in slice {z}, and one in another is a hole; take one out"
            )
        by_slice.setdefault(z, []).append(points_N2)
    for z, polygons in by_slice.items():
        mask_zyx[z] |= filled(polygons, mask_zyx.shape[1], mask_zyx.shape[2])


def _in_slice(contour: pydicom.Dataset, name: str, reference: Volume, path: Path) -> tuple[int, np.ndarray]:
    """The slice that a contour lies in, and its points (N, 2) as (x, y) in voxels."""
    kind = attributes.text(contour, "ContourGeometricType", path)
    if kind not in CLOSED:
        raise ValueError(
            f"{path}: expected closed planar contours of {name}, got one of the kind {kind or 'unknown'}; "
            "name another structure, or export it with closed contours"
        )
    mm_N3 = np.array(contour.ContourData, float).reshape(-1, 3)
    if not np.isfinite(mm_N3).all() or not len(mm_N3):
        raise ValueError(f"{path}: a contour of {name} has points without a place; export it again")
    homogeneous_4N = np.vstack([mm_N3.T, np.ones(len(mm_N3))])
    x_N, y_N, z_N = np.linalg.solve(reference.affine, homogeneous_4N)[:3]
    z = round(float(z_N.mean()))
    if not 0 <= z < len(reference.array_zyx) or np.abs(z_N - z).max() > BESIDE:
        raise ValueError(
            f"{path}: a contour of {name} lies at {z_N.min():.2f} to {z_N.max():.2f} slices, in none of the "
            f"series' slices 0 to {len(reference.array_zyx) - 1}; name the structure set that was drawn on it"
        )
    return z, np.column_stack([x_N, y_N])


def filled(polygons: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """Where voxel centres lie in an odd number of the polygons (N, 2) of (x, y); bool (H, W).

    A centre on a left or upper edge is inside, on a right or lower edge outside: so polygons that share an
    edge share no voxel and leave none out.
    """
    crossings_HW = np.zeros((height, width + 1), np.int64)
    for points_N2 in polygons:
        for (x0, y0), (x1, y1) in zip(points_N2, np.roll(points_N2, -1, axis=0), strict=True):
            low, high = sorted((y0, y1))
            rows_R = np.arange(max(0, np.ceil(low)), min(height, np.ceil(high)), dtype=np.int64)
            if not len(rows_R):
                continue
            x_R = x0 + (rows_R - y0) * (x1 - x0) / (y1 - y0)
            columns_R = np.clip(np.ceil(x_R), 0, width).astype(np.int64)
            np.add.at(crossings_HW, (rows_R, columns_R), 1)
    return np.asarray(np.cumsum(crossings_HW, axis=1)[:, :width] % 2 == 1)
