"""Invented patients to try the pipeline on: CT-like volumes with five classes in nnU-Net's layout, and masks.

Shape letters: X, Y, Z axes of a volume, to the left, to posterior, to superior.
"""

from pathlib import Path

import nibabel as nib
import numpy as np

from segguided.data.formats.png import write_grey
from segguided.files import json_text

SHAPE = (96, 96, 24)
SPACING_MM = (3.0, 3.0, 5.0)
LABELS = {"background": 0, "body": 1, "right lung": 2, "left lung": 3, "spine": 4, "heart": 5}
HU = (-1000, 40, -750, -740, 500, 110)  # of each label
NOISE_HU = 25
MASKS = 10


def write_example(folder: Path, patients: int = 6) -> None:
    """Write `patients` volumes with label maps, dataset.json, and ten label maps as PNG files below `masks`.

    The files are the same in every run. Raises ValueError where the folder exists.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists, and nothing is overwritten; name a new folder")
    if patients < 1:
        raise ValueError(f"{patients} patients were asked for; ask for 1 or more")
    for number in range(patients):
        labels_XYZ = _anatomy(np.random.default_rng(number))
        noise_XYZ = np.random.default_rng([number, 1]).normal(0, NOISE_HU, SHAPE)
        image_XYZ = (np.array(HU)[labels_XYZ] + noise_XYZ).astype(np.int16)
        _save(folder / f"imagesTr/case_{number:02}_0000.nii.gz", image_XYZ)
        _save(folder / f"labelsTr/case_{number:02}.nii.gz", labels_XYZ)
    about = {
        "channel_names": {"0": "CT"},
        "labels": LABELS,
        "numTraining": patients,
        "file_ending": ".nii.gz",
    }
    path = folder / "dataset.json"
    path.write_text(json_text(path, about), encoding="utf-8")
    (folder / "masks").mkdir()
    for number in range(MASKS):
        labels_XYZ = _anatomy(np.random.default_rng([number, 2]))
        write_grey(folder / f"masks/mask_{number}.png", labels_XYZ[:, :, SHAPE[2] // 2].T)


def _anatomy(random: np.random.Generator) -> np.ndarray:
    """A trunk, uint8 (X, Y, Z): places and sizes differ from patient to patient."""
    x, y, z = np.indices(SHAPE)
    centre = np.array(SHAPE) / 2 + random.normal(0, 2, 3)
    size = random.uniform(0.9, 1.1, 5)
    labels_XYZ = np.zeros(SHAPE, np.uint8)

    def add(label: int, offset: tuple[float, float], radii: tuple[float, float, float]) -> None:
        a, b, c = np.array(radii) * size[label - 1]
        inside = ((x - centre[0] - offset[0]) / a) ** 2 + ((y - centre[1] - offset[1]) / b) ** 2
        labels_XYZ[inside + ((z - centre[2]) / c) ** 2 < 1] = label

    add(1, (0, 0), (38, 30, 14))
    add(2, (-16, -4), (9, 11, 10))
    add(3, (16, -4), (9, 11, 10))
    add(4, (0, 18), (6, 5, 13))
    add(5, (3, -14), (7, 6, 6))
    return labels_XYZ


def _save(path: Path, array_XYZ: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1.0])  # NIfTI's world is RAS
    nib.save(nib.Nifti1Image(array_XYZ, affine), path)
