"""Where patients come from, behind one interface: a source and a patient's row give an image and a mask."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from segguided.config.data import AnatomyClass, DicomSource, NiftiSource, PhantomSource, Source
from segguided.data import demo_ct, dicom, nifti, nrrd
from segguided.data.volume import Volume

Row = Mapping[str, str]
MASK_FOLDER = "Segmentation_Masks_NRRD"  # of the Duke masks, at some depth below the folder a user names


def read_patient(
    source: Source, classes: Sequence[AnatomyClass], row: Row, raw: Sequence[Path]
) -> tuple[Volume, Volume]:
    """Image and mask (uint8, class k for the k-th class) of one patient, both in the LPS frame.

    `raw` is what the workflow names for the patient: image and mask file (nifti), DICOM folder and mask root
    (dicom), receipt (phantom) or source package (demo-ct). Raises ValueError where they are damaged or disagree.
    """
    match source:
        case NiftiSource():
            return _read_nifti(source, classes, raw)
        case DicomSource():
            return _read_dicom(classes, row["patient"], raw[0], raw[1])
        case PhantomSource():
            root = raw[0].parent.parent
            return _read_dicom(classes, row["patient"], root / "images" / row["patient"], root)
        case _:
            return demo_ct.read_patient(raw[0], row)


def _read_nifti(
    source: NiftiSource, classes: Sequence[AnatomyClass], raw: Sequence[Path]
) -> tuple[Volume, Volume]:
    image, labels = nifti.read_image(raw[0]), nifti.read_labels(raw[1])
    index_of = {c.label if c.label is not None else k: k for k, c in enumerate(classes, 1)}
    index_of |= dict.fromkeys((0, *source.ignore), 0)
    unknown = sorted(set(np.unique(labels.array_zyx).tolist()) - index_of.keys())
    if unknown:
        raise ValueError(
            f"{raw[1]}: labels {unknown} are outside the class table ({', '.join(c.name for c in classes)}); "
            "give them a class with that `label`, or list them under source.ignore"
        )
    table = np.zeros(256, np.uint8)
    for label, index in index_of.items():
        table[label] = index
    return image, Volume(table[labels.array_zyx], labels.affine, labels.provenance)


def _read_dicom(
    classes: Sequence[AnatomyClass], patient: str, images: Path, masks: Path
) -> tuple[Volume, Volume]:
    image = dicom.read_series(images)
    mask_zyx = np.zeros(image.array_zyx.shape, np.uint8)
    folder = _mask_folder(masks, patient)
    for file in dict.fromkeys(c.file for c in classes):
        wanted = {c.segment: k for k, c in enumerate(classes, 1) if c.file == file}
        path = folder / file.format(patient=patient)
        found = nrrd.read_segments(path, list(wanted), image)
        for segment, index in wanted.items():  # in class order: where two claim a voxel, the later wins
            mask_zyx[found[segment]] = index
    return image, Volume(mask_zyx, image.affine, {"format": "seg.nrrd", "folder": folder.name})


def _mask_folder(masks: Path, patient: str) -> Path:
    """The folder of a patient's masks, in `masks` itself or below its Segmentation_Masks_NRRD."""
    candidates = [masks, *sorted(masks.rglob(MASK_FOLDER))]
    for folder in candidates:
        if (folder / patient).is_dir():
            return folder / patient
    raise ValueError(f"no folder of masks for patient {patient} in {masks}, nor below a {MASK_FOLDER} in it")
