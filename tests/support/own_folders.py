"""Folders of invented patients, as people have them: NIfTI, PNG and DICOM with masks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from segguided.data.formats.png import write_grey
from support.volume_files import Stored, segment_fields, write_dicom, write_nrrd

Grid = tuple[int, int, int]
SHAPE = (20, 18, 14)  # x, y, z


def label_map(labels: Sequence[int], shape: Grid = SHAPE) -> np.ndarray:
    """A label map (x, y, z): bars side by side along x in the middle of y, in all slices but the first."""
    mask_xyz = np.zeros(shape, np.uint16 if max(labels, default=0) > 255 else np.uint8)
    for place, label in enumerate(labels):
        mask_xyz[1 + place, 3:-3, 1:] = label
    return mask_xyz


def image_of(mask_xyz: np.ndarray, seed: int) -> np.ndarray:
    """An int16 image that shows the labels, with air of -1000 around and noise of its own."""
    noise = np.random.default_rng(seed).integers(-20, 20, mask_xyz.shape)
    return np.asarray(np.where(mask_xyz > 0, 40 * mask_xyz.astype(int), -1000) + noise).astype(np.int16)


def save_nifti(path: Path, array: np.ndarray, spacing: Sequence[float] = (1.0, 1.0, 3.0)) -> None:
    """A volume whose axes run to the right, to anterior and to superior."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([*spacing, 1.0])), path)


@dataclass(frozen=True)
class NiftiFolder:
    """A folder of `<name>.nii.gz` and `<name>_seg.nii.gz`."""

    root: Path

    def add(
        self,
        name: str,
        labels: Sequence[int] = (1, 2),
        *,
        shape: Grid = SHAPE,
        spacing: Sequence[float] = (1.0, 1.0, 3.0),
        seed: int | None = None,
        mask: bool = True,
    ) -> "NiftiFolder":
        """One more patient; `seed` decides its image, by default its name does."""
        mask_xyz = label_map(labels, shape)
        number = seed if seed is not None else sum(name.encode())
        save_nifti(self.root / f"{name}.nii.gz", image_of(mask_xyz, number), spacing)
        if mask:
            save_nifti(self.root / f"{name}_seg.nii.gz", mask_xyz, spacing)
        return self


def nifti_folder(root: Path, patients: int = 4, labels: Sequence[int] = (1, 2)) -> NiftiFolder:
    """Patients p0, p1, … as NIfTI."""
    folder = NiftiFolder(root)
    root.mkdir(parents=True)
    for number in range(patients):
        folder.add(f"p{number}", labels)
    return folder


def png_folder(
    root: Path,
    name: Callable[[str, int], tuple[str, str]],
    patients: Sequence[str] = ("ann", "bob", "cem", "dora"),
    slices: int = 4,
) -> Path:
    """PNG slices; `name` gives the paths of a slice's image and mask below the root."""
    for patient in patients:
        mask_xyz = label_map((1, 2), (24, 24, slices + 1))
        image_xyz = image_of(mask_xyz, sum(patient.encode()))
        for number in range(slices):
            image, mask = name(patient, number)
            grey = np.clip(image_xyz[:, :, number + 1] // 8 + 126, 0, 255).astype(np.uint8)
            write_grey(root / image, grey)
            write_grey(root / mask, np.ascontiguousarray(mask_xyz[:, :, number + 1]))
    return root


def dicom_folder(root: Path, patients: int = 4) -> Path:
    """Patients as DICOM files with a .seg.nrrd of two segments in the same folder."""
    for number in range(patients):
        mask_xyz = label_map((1, 2))
        affine = np.diag([1.0, 1.0, 3.0, 1.0])
        folder = root / f"mr{number}"
        write_dicom(folder, Stored(image_of(mask_xyz, number), affine))
        fields = segment_fields(("breast", 1, 0), ("FGT", 2, 0))
        write_nrrd(folder / f"seg_mr{number}.seg.nrrd", Stored(mask_xyz, affine), **fields)
    return root
