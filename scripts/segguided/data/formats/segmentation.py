"""Named segments of a file: what readers of .seg.nrrd, DICOM-SEG and DICOM-RTSTRUCT return."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segguided.data.formats.orientation import oriented
from segguided.data.formats.volume import Volume, check_same_grid
from segguided.listing import composed


@dataclass(frozen=True)
class Segmentation:
    """Segments of which no two share a voxel: `labels` holds k where the k-th of `names` is, from 1.

    `labels.provenance` holds the shape (i, j, k) of the file's voxels and their affine to LPS mm, as
    `stored_shape` and `stored_affine`.
    """

    names: list[str]
    labels: Volume


@dataclass(frozen=True)
class SegmentMask:
    """Where a segment is: the voxels of a label map with its value, or with any but 0 if `value` is None."""

    labels_zyx: np.ndarray
    value: int | None

    def plane(self, z: int) -> np.ndarray:
        """Whether each voxel (y, x) of slice z is the segment's."""
        labels_yx = self.labels_zyx[z]
        return np.asarray(labels_yx != 0 if self.value is None else labels_yx == self.value)


def comparable(name: str) -> str:
    """A segment's name in one Unicode form and without capitals, as names are compared."""
    return composed(name.strip()).casefold()


def numbers_of(path: Path, name: str | None, names: Mapping[int, str]) -> list[int]:
    """The number of the segment of this name in a DICOM file; all numbers for None.

    Raises ValueError, beginning with `path`, where none or several have the name.
    """
    if name is None:
        return list(names)
    matching = [number for number, other in names.items() if comparable(other) == comparable(name)]
    if len(matching) > 1:
        raise ValueError(
            f"{path}: {len(matching)} segments are named {name}; rename all but one, or merge them"
        )
    if not matching:
        raise ValueError(
            f"{path}: expected a segment named {name}, but the file has {', '.join(names.values())}; correct "
            "`segment`"
        )
    return matching


def as_segmentation(
    path: Path, names: Sequence[str], masks_ijk: Iterable[np.ndarray], affine: np.ndarray, kind: str
) -> Segmentation:
    """The segments of a file, whose masks (i, j, k) come one after another; `affine` to LPS mm.

    Raises ValueError, beginning with `path`, where two segments have one name or share voxels.
    """
    _check_names(path, names)
    labels_ijk: np.ndarray | None = None
    for number, mask_ijk in enumerate(masks_ijk, 1):
        if labels_ijk is None:
            labels_ijk = np.zeros(mask_ijk.shape, np.min_scalar_type(len(names)))
        shared = labels_ijk[mask_ijk]
        if shared.any():
            _refuse_overlap(path, names, number, shared)
        labels_ijk[mask_ijk] = number
    assert labels_ijk is not None, "a file without segments is refused before"
    provenance = {
        "format": kind,
        "file": path.name,
        "stored_shape": list(labels_ijk.shape),
        "stored_affine": affine.tolist(),
    }
    try:
        return Segmentation(list(names), oriented(labels_ijk, affine, provenance))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check_names(path: Path, names: Sequence[str]) -> None:
    alike = [comparable(name) for name in names]
    repeated = next((name for name in names if alike.count(comparable(name)) > 1), None)
    if repeated is not None:
        raise ValueError(
            f"{path}: {alike.count(comparable(repeated))} segments are named {repeated}; rename all but one, "
            "or merge them, and export it again"
        )


def _refuse_overlap(path: Path, names: Sequence[str], number: int, shared: np.ndarray) -> None:
    """Raise ValueError; `shared` are the earlier segments' numbers in the voxels of segment `number`."""
    other = int(shared[shared > 0][0])
    voxels = int(np.count_nonzero(shared == other))
    raise ValueError(
        f"{path}: the segments {names[other - 1]} and {names[number - 1]} overlap in {voxels} voxels, but a "
        "mask has one class a pixel; take these voxels out of one of them"
    )


def on_whole_grid(path: Path, part: Volume, reference: Volume) -> np.ndarray:
    """Labels (z, y, x) on the grid of `reference`, of which `part` may cover only some slices in a row.

    Raises ValueError, beginning with `path`, where their grids differ.
    """
    first = round(float((np.linalg.inv(reference.affine) @ part.affine)[2, 3]))
    slices = range(first, first + len(part.array_zyx))
    covers = part.array_zyx.shape[1:] == reference.array_zyx.shape[1:]
    if covers and first >= 0 and slices.stop <= len(reference.array_zyx):
        labels_zyx = np.zeros(reference.array_zyx.shape, part.array_zyx.dtype)
        labels_zyx[slices.start : slices.stop] = part.array_zyx
        affine = part.affine.copy()
        affine[:3, 3] -= first * affine[:3, 2]
        part = Volume(labels_zyx, affine)
    check_same_grid(reference, part, str(path))
    return part.array_zyx
