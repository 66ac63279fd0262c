"""Named segments of one file as a label map: what readers of .seg.nrrd and DICOM-SEG return."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segguided.data.formats.orientation import oriented
from segguided.data.formats.volume import Volume
from segguided.listing import composed


@dataclass(frozen=True)
class Segmentation:
    """Segments of which no two share a voxel: `labels` holds k where the k-th of `names` is, from 1.

    `labels.provenance` holds the shape (i, j, k) of the file's voxels and their affine to LPS mm, as
    `stored_shape` and `stored_affine`.
    """

    names: list[str]
    labels: Volume


def comparable(name: str) -> str:
    """A segment's name in one Unicode form and without capitals, as names are compared."""
    return composed(name.strip()).casefold()


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
