"""Real CTs from open-source packages, with body, lungs and bone labelled by density and morphology.

The way CT-ORG labelled its own training lungs and bones (Rister et al., Scientific Data 2020), in mm.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its customary name
from scipy import ndimage

from segguided.config.sources.demo_ct import slice_range
from segguided.data.download import packages
from segguided.data.formats import nifti, nrrd
from segguided.data.formats.volume import Volume
from segguided.files import sha256_of
from segguided.seals import damaged

BODY, LUNGS, BONE = 1, 2, 3
WORKING_MM = 2.5  # in-plane spacing: finer than the demo's slices, coarse enough to take only seconds

TISSUE_HU = -300.0
AIR_HU = -400.0
GAS_HU = -935.0  # bowel and airway; lung tissue is denser
LUNG_NEIGHBOUR_HU = -600.0  # gas whose surroundings are thinner than this is a bulla inside the lung
BONE_HU = 180.0
MARROW_HU = 75.0  # above muscle and the spinal cord
MARROW_HOLE_MM2 = 250.0
CORTEX_HU = 300.0
CORTEX_SHARE = 0.15  # the least share of a bone's voxels; a contrast-enhanced organ has hardly any
DEEP_MM = 45.0  # so deep below the skin, the only bone is the spine
ORGAN_HU = 150.0  # enhanced spleen and kidney
DENSE_BLOOD_HU = 250.0
UNDILUTED_CONTRAST_HU = 1000.0

Morphology = Callable[..., np.ndarray]


def read_patient(archive: Path, row: Mapping[str, str]) -> tuple[Volume, Volume]:
    """Image (HU, int16) and label map (uint8: 1 body, 2 lungs, 3 bone) of one row of the table.

    `row` names the file inside the archive (`member`) and, where contrast makes blood as dense as bone,
    the masks of that blood (`blood`, separated by semicolons). Both volumes are averaged in-plane to about
    2.5 mm. Labels are found in the whole volume; then only the row's `slices` are kept. Raises ValueError for
    an archive with another SHA-256 than that in `row`.
    """
    if row.get("sha256") and sha256_of(archive) != row["sha256"]:
        raise damaged(archive, "its SHA-256 is not the one in the patient table")
    with tempfile.TemporaryDirectory() as scratch:
        image = _read_member(archive, row["member"], Path(scratch))
        members = [name.strip() for name in row.get("blood", "").split(";") if name.strip()]
        masks = [_read_member(archive, name, Path(scratch)) for name in members]
    factor = max(1, round(WORKING_MM / image.spacing_zyx_mm[2]))
    blood = block_mean(blood_on_grid(masks, image), factor) >= 0.5 if masks else None
    coarse = Volume(
        np.rint(block_mean(image.array_zyx, factor)).astype(np.int16),
        _coarse_affine(image.affine, factor),
        {**image.provenance, "member": row["member"], "averaged_in_plane": factor},
    )
    labels = label_by_density(Scan(coarse.array_zyx, coarse.spacing_zyx_mm), blood)
    mask = Volume(labels, coarse.affine, {"labels": "density and morphology"})
    return kept_slices(coarse, row), kept_slices(mask, row)


def kept_slices(volume: Volume, row: Mapping[str, str]) -> Volume:
    """The slices of the volume that the row's cell `slices` names; all where there is none.

    Raises ValueError where the volume has none of them.
    """
    cell = row.get("slices", "")
    first, end = slice_range(cell, "the patient table")
    if first >= len(volume.array_zyx):
        raise ValueError(
            f"the patient table's column slices has {cell!r}, but the volume has slices 0 to "
            f"{len(volume.array_zyx) - 1}; correct it"
        )
    affine = volume.affine.copy()
    affine[:3, 3] += first * affine[:3, 2]
    return replace(volume, array_zyx=volume.array_zyx[first:end], affine=affine)


def _read_member(archive: Path, member: str, folder: Path) -> Volume:
    path = packages.read_member(archive, member, folder)
    if path.name.endswith(".nrrd"):
        return nrrd.read_image(path)
    if path.name.endswith((".nii", ".nii.gz")):
        return nifti.read_image(path)
    raise ValueError(
        f"{member}: expected a .nrrd, .nii or .nii.gz file; fix the patient table's `member`/`blood`"
    )


def block_mean(array_zyx: np.ndarray, factor: int) -> np.ndarray:
    """Averages over factor × factor pixels of each slice, float32; incomplete blocks are dropped."""
    slices, height, width = array_zyx.shape
    rows = height // factor
    columns = width // factor
    blocks = array_zyx[:, : rows * factor, : columns * factor].reshape(slices, rows, factor, columns, factor)
    mean: np.ndarray = blocks.mean(axis=(2, 4), dtype=np.float32)
    return mean


def _coarse_affine(affine: np.ndarray, factor: int) -> np.ndarray:
    """The affine of a volume that was averaged in-plane by `block_mean`."""
    coarse = affine.copy()
    coarse[:3, 3] += affine[:3, :2].sum(axis=1) * (factor - 1) / 2  # centre of the first block
    coarse[:3, :2] *= factor
    return coarse


def blood_on_grid(masks: Iterable[Volume], image: Volume) -> np.ndarray:
    """Union of the masks on the image's grid; a mask may be cropped, but must have the voxels of the grid."""
    union = np.zeros(image.array_zyx.shape, dtype=bool)
    for mask in masks:
        start_xyz = np.linalg.solve(image.affine, mask.affine[:, 3])[:3]
        start = np.rint(start_xyz[::-1]).astype(int)
        stop = start + mask.array_zyx.shape
        same_axes = np.allclose(mask.affine[:3, :3], image.affine[:3, :3], atol=1e-3)
        inside = (start >= 0).all() and (stop <= image.array_zyx.shape).all()
        if not (same_axes and inside and np.allclose(start_xyz[::-1], start, atol=0.05)):
            raise ValueError(
                "a blood mask is on another grid than its image; fix the patient table's `blood`"
            )
        union[tuple(map(slice, start, stop))] |= mask.array_zyx > 0
    return union


@dataclass(frozen=True)
class Scan:
    """A CT in HU, axes (z, y, x) with axial slices, and the distances between its voxels in mm."""

    hu: np.ndarray
    spacing: tuple[float, float, float]

    @cached_property
    def smooth(self) -> np.ndarray:
        """HU blurred by 1.5 mm, against noise."""
        blurred = ndimage.gaussian_filter(self.hu.astype(np.float32), [1.5 / s for s in self.spacing])
        return np.asarray(blurred)


def label_by_density(scan: Scan, blood: np.ndarray | None = None) -> np.ndarray:
    """Label map (uint8: 1 body, 2 lungs, 3 bone) of a CT.

    `blood` marks contrast-filled heart and vessels; they, and what is connected to them, are no bone.
    """
    body = body_mask(scan)
    inner = _erode(body, 8, scan.spacing, flat=True)  # without skin folds, leads and wires
    lungs = lung_mask(scan, inner)
    not_bone = lungs | ~inner
    if blood is not None:
        not_bone |= contrast_mask(scan, blood, body)
    labels = body.astype(np.uint8) * BODY
    labels[lungs] = LUNGS
    labels[bone_mask(scan, not_bone)] = BONE
    return labels


def body_mask(scan: Scan) -> np.ndarray:
    """Largest component of tissue, holes filled slice by slice; opening parts it from the thin couch."""
    components, _ = ndimage.label(_open(scan.hu > TISSUE_HU, 4, scan.spacing, flat=True))
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    if not sizes.any():
        raise ValueError(
            f"no body found: nothing is denser than {TISSUE_HU:g}; is the image in Hounsfield units?"
        )
    return _fill_slices(components == sizes.argmax())


def lung_mask(scan: Scan, inner: np.ndarray) -> np.ndarray:
    """Air inside the body without bowel gas and airways, vessels filled in."""
    inner_tissue = inner & ~_free_gas(scan, inner)
    air = (scan.hu < AIR_HU) & inner_tissue
    cores = _at_least(20, _open(air, 3, scan.spacing), scan.spacing)
    lungs = _dilate(cores, 3, scan.spacing) & air
    return np.asarray(_fill_slices(_close(lungs, 6, scan.spacing)) & inner_tissue)


def _free_gas(scan: Scan, inner: np.ndarray) -> np.ndarray:
    """Trachea, large bronchi, stomach and bowel: gas cores whose surroundings are not lung."""
    cores = _at_least(1, _open((scan.smooth < GAS_HU) & inner, 3, scan.spacing, flat=True), scan.spacing)
    components, count = ndimage.label(cores)
    grown = ndimage.grey_dilation(components, size=[2 * round(6 / s) + 1 for s in scan.spacing])
    around = _means(scan.hu, np.where(cores, 0, grown), count)
    return _dilate((around > LUNG_NEIGHBOUR_HU)[components] & cores, 5, scan.spacing)


def contrast_mask(scan: Scan, blood: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Contrast-filled blood and enhanced organs: dense, but joined to `blood`, rimless, or deep inside."""
    vessels, count = ndimage.label(_open(scan.smooth > DENSE_BLOOD_HU, 2, scan.spacing) | blood)
    soft = (_means(blood, vessels, count) > 0)[vessels] & (vessels > 0)
    soft |= _open(scan.smooth > UNDILUTED_CONTRAST_HU, 4, scan.spacing)
    organs, count = ndimage.label(_open((scan.smooth > ORGAN_HU) & ~soft, 6, scan.spacing))
    soft |= (_means(scan.hu > CORTEX_HU, organs, count) < CORTEX_SHARE)[organs] & (organs > 0)
    soft = _dilate(soft, 4, scan.spacing)  # and its partial-volume rim
    return np.asarray(soft | _enhanced_pieces(scan, (scan.hu > BONE_HU) & body & ~soft, body))


def _enhanced_pieces(scan: Scan, dense: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Pieces that are no bone: without cortex (kidney), or deep and apart from the spine (vessels)."""
    pieces, count = ndimage.label(_at_least(1.5, dense, scan.spacing))
    if count == 0:
        return dense
    depth_mm = ndimage.distance_transform_edt(
        np.pad(body, ((1, 1), (0, 0), (0, 0)), mode="edge"), scan.spacing
    )[1:-1]
    sizes = np.bincount(pieces.ravel())
    spine = np.arange(count + 1) == 1 + sizes[1:].argmax()
    enhanced = _means(scan.hu > CORTEX_HU, pieces, count) < CORTEX_SHARE
    enhanced |= (_means(depth_mm, pieces, count) > DEEP_MM) & ~spine
    return _dilate(enhanced[pieces] & (pieces > 0), 4, scan.spacing)


def bone_mask(scan: Scan, not_bone: np.ndarray) -> np.ndarray:
    """Hard voxels without specks, and the marrow they enclose."""
    hard = _close((scan.hu > BONE_HU) & ~not_bone, 3, scan.spacing) & ~not_bone
    hard = _at_least(3, hard, scan.spacing)
    marrow = _close(hard, 9, scan.spacing) & (scan.smooth > MARROW_HU) & ~not_bone
    bone = hard | _open(marrow, 3, scan.spacing)
    holes, _ = ndimage.label(_fill_slices(bone) & ~bone, structure=_IN_PLANE)
    # Fatty marrow of a long bone measures less than the spinal canal, which stays open.
    small = np.bincount(holes.ravel()) * scan.spacing[1] * scan.spacing[2] < MARROW_HOLE_MM2
    small[0] = False
    return np.asarray((bone | small[holes]) & ~not_bone)


_IN_PLANE = np.zeros((3, 3, 3), dtype=bool)
_IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)


def _fill_slices(mask: np.ndarray) -> np.ndarray:
    return np.stack([ndimage.binary_fill_holes(mask_yx) for mask_yx in mask])


def _at_least(millilitres: float, mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """The components of the mask that have at least this volume."""
    components, _ = ndimage.label(mask)
    keep = np.bincount(components.ravel()) * np.prod(spacing) >= millilitres * 1000
    keep[0] = False
    return np.asarray(keep[components])


def _means(values: np.ndarray, components: np.ndarray, count: int) -> np.ndarray:
    """Mean of the values in each component, index 0 the background; shape (count + 1,)."""
    sums = np.bincount(components.ravel(), weights=values.ravel(), minlength=count + 1)
    return np.asarray(sums / np.maximum(np.bincount(components.ravel(), minlength=count + 1), 1))


def _ball(
    operation: Morphology,
    mask: np.ndarray,
    radius_mm: float,
    spacing: tuple[float, float, float],
    flat: bool = False,
) -> np.ndarray:
    """A binary operation with a ball (a disc if `flat`); at the borders the edge voxels are repeated."""
    radius = [round(radius_mm / s) for s in spacing]
    if flat:
        radius[0] = 0
    padded = np.pad(mask.astype(np.uint8), [(r, r) for r in radius], mode="edge")
    result = sitk.GetArrayFromImage(operation(sitk.GetImageFromArray(padded), radius[::-1], sitk.sitkBall))
    inside = tuple(slice(r, r + n) for r, n in zip(radius, mask.shape, strict=True))
    return np.asarray(result[inside], dtype=bool)


_erode = partial(_ball, sitk.BinaryErode)
_dilate = partial(_ball, sitk.BinaryDilate)
_open = partial(_ball, sitk.BinaryMorphologicalOpening)
_close = partial(_ball, sitk.BinaryMorphologicalClosing)
