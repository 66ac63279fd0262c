"""Where patients come from, behind one interface: a source and a patient's row give an image and a mask."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segguided.config.data import AnatomyClass, DicomSource, NiftiSource, PhantomSource, PngSource, Source
from segguided.data import demo_ct, dicom, nifti, nrrd, png
from segguided.data.volume import Volume

Row = Mapping[str, str]
MASK_FOLDER = "Segmentation_Masks_NRRD"  # of the Duke masks, at some depth below the folder a user names
DEEPEST = 6  # levels below that folder to search
OLD_MASKS = "supplement-v2"  # in the name of the Duke data's older 2-D masks


def read_patient(
    source: Source, classes: Sequence[AnatomyClass], row: Row, raw: Sequence[Path]
) -> tuple[Volume, Volume]:
    """Image and mask (uint8, class k for the k-th class) of one patient, both in the LPS frame.

    `raw` is what the workflow names for the patient: image and mask file (nifti), DICOM folder and mask root
    (dicom), folders of images and masks (png), receipt (phantom) or source package (demo-ct). Raises
    ValueError where they are damaged or disagree.
    """
    match source:
        case NiftiSource():
            image, labels = nifti.read_image(raw[0]), nifti.read_labels(raw[1])
            return image, _classes_of(labels, classes, source.ignore, raw[1])
        case PngSource():
            image, labels = png.read_patient(row["patient"], raw[0], raw[1])
            return image, _classes_of(labels, classes, source.ignore, raw[1])
        case DicomSource():
            return _read_dicom(classes, row["patient"], raw[0], raw[1])
        case PhantomSource():
            root = raw[0].parent.parent
            return _read_dicom(classes, row["patient"], root / "images" / row["patient"], root)
        case _:
            return demo_ct.read_patient(raw[0], row)


def _classes_of(
    labels: Volume, classes: Sequence[AnatomyClass], ignored: Sequence[int], path: Path
) -> Volume:
    """A label map with each class's label replaced by its place in the table, from 1."""
    index_of = {c.label if c.label is not None else k: k for k, c in enumerate(classes, 1)}
    index_of |= dict.fromkeys((0, *ignored), 0)
    counts = sum(np.bincount(slice_yx.ravel(), minlength=256) for slice_yx in labels.array_zyx)
    unknown = sorted(set(np.flatnonzero(counts).tolist()) - index_of.keys())
    if unknown:
        raise ValueError(
            f"{path}: labels {unknown} are outside the class table ({', '.join(c.name for c in classes)}); "
            "give them a class with that `label`, or list them under source.ignore"
        )
    if all(index_of[label] == label for label in np.flatnonzero(counts).tolist()):
        return labels
    table = np.zeros(256, np.uint8)
    for label, index in index_of.items():
        table[label] = index
    return replace(labels, array_zyx=table[labels.array_zyx])


def _read_dicom(
    classes: Sequence[AnatomyClass], patient: str, images: Path, masks: Path
) -> tuple[Volume, Volume]:
    folder = _mask_folder(masks, patient)  # before the series, which takes longer to read
    image = dicom.read_series(images)
    mask_zyx = np.zeros(image.array_zyx.shape, np.uint8)
    for index, one in enumerate(classes, 1):  # in class order: where two claim a voxel, the later wins
        path = folder / str(one.file).format(patient=patient)
        mask_zyx[nrrd.read_segment(path, one.segment, image)] = index
    return image, Volume(mask_zyx, image.affine, {"format": "seg.nrrd", "folder": folder.name})


def _mask_folder(masks: Path, patient: str) -> Path:
    """The folder of a patient's masks, in `masks` itself or in a Segmentation_Masks_NRRD below it.

    Level by level, so that finding it lists none of the patients' own folders. Raises ValueError where there
    is none, and for the older 2-D masks, which do not fit.
    """
    if not masks.is_dir():
        raise ValueError(
            f"{masks}: expected the folder of the masks, but there is none; correct source.masks"
        )
    level, refused = [masks], [masks] if OLD_MASKS in str(masks.absolute()).lower() else []
    for _ in range(DEEPEST if not refused else 0):
        for folder in level:
            if (folder.name == MASK_FOLDER or folder is masks) and (folder / patient).is_dir():
                return folder / patient
        below = [path for folder in level if folder.name != MASK_FOLDER for path in _folders(folder)]
        refused += [path for path in below if OLD_MASKS in path.name.lower()]
        level = [path for path in below if OLD_MASKS not in path.name.lower()]
    if refused:
        raise ValueError(
            f"{refused[0]} holds the older 2-D masks (Supplement-v2); name the folder of Supplement-v3, "
            "whose masks are 3-D, as source.masks"
        )
    raise ValueError(
        f"{masks}: no folder of masks for patient {patient}, neither there nor in a {MASK_FOLDER} up to "
        f"{DEEPEST - 1} levels below; correct source.masks, or drop the patient"
    )


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir())
