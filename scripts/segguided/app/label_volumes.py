"""Label volumes with a run's class values: by label in NIfTI; else by segments' names or titles."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from segguided.app.run_folder import RunFacts
from segguided.data.formats import nifti, nrrd
from segguided.data.formats.dicom import segmentation as dicom_seg
from segguided.data.formats.dicom.segments import ENDING, is_dicom
from segguided.data.formats.segmentation import Segmentation, comparable
from segguided.data.formats.volume import Volume, labels_in
from segguided.shown import some

NIFTI = (".nii.gz", ".nii")
SEG_NRRD = (".seg.nrrd",)
ENDINGS = (*NIFTI, *SEG_NRRD, ENDING)


def is_label_volume(path: Path) -> bool:
    """Whether a file is read as a label volume: by its ending; a DICOM file needs none."""
    return path.name.lower().endswith(ENDINGS) or is_dicom(path)


def read_label_volume(path: Path, facts: RunFacts, may_lack: Collection[str]) -> Volume:
    """The volume with the classes' values (`value` of run.json) as voxels, uint8.

    Labels of NIfTI are the classes' `label`, segments have the classes' names or titles, in capitals or not.
    Raises ValueError for labels and segments that are no class, for two segments of one class, and for a file
    of segments in which a class is missing, unless `may_lack` names it.
    """
    name = path.name.lower()
    if name.endswith(NIFTI):
        return _classes_of_labels(path, nifti.read_labels(path), facts)
    read = nrrd.read_segmentation if name.endswith(SEG_NRRD) else dicom_seg.read_segmentation
    return _classes_of_segments(path, read(path), facts, may_lack)


def _classes_of_labels(path: Path, labels: Volume, facts: RunFacts) -> Volume:
    known = {known.label: known.value for known in facts.classes}
    present = labels_in(labels.array_zyx)
    unknown = sorted(set(present) - known.keys() - {0})
    if unknown:
        raise ValueError(f"{path}: its voxels have the labels {some(unknown)}, {expected(facts, 'label')}")
    return _replaced(labels, {label: known[label] for label in present if label})


def _classes_of_segments(
    path: Path, segmentation: Segmentation, facts: RunFacts, may_lack: Collection[str]
) -> Volume:
    values = {comparable(known.title or known.name): known.value for known in facts.classes}
    values |= {comparable(known.name): known.value for known in facts.classes}
    names = segmentation.names
    unknown = [name for name in names if comparable(name) not in values]
    classes = ", ".join(known.name for known in facts.classes)
    if unknown:
        raise ValueError(
            f"{path}: its segment {unknown[0]} is no class of the model, which knows {classes}; rename "
            "it, or leave it out"
        )
    there = [values[comparable(name)] for name in names]
    for known in facts.classes:
        if there.count(known.value) > 1:
            both = " and ".join(names[k] for k, value in enumerate(there) if value == known.value)
            raise ValueError(f"{path}: the segments {both} are one class, {known.name}; keep one of them")
    missing = [k.name for k in facts.classes if k.value not in there and k.name not in may_lack]
    if missing:
        raise ValueError(
            f"{path}: expected a segment for each class, but none is named {missing[0]} (there are "
            f"{', '.join(names)}); rename it, or say with --absent {','.join(missing)} that there is none"
        )
    return _replaced(segmentation.labels, dict(enumerate(there, 1)))


def _replaced(labels: Volume, value_of: Mapping[int, int]) -> Volume:
    """The volume with each of its labels replaced, slice by slice."""
    values_zyx = np.zeros(labels.array_zyx.shape, np.uint8)
    for values_yx, labels_yx in zip(values_zyx, labels.array_zyx, strict=True):
        for label, value in value_of.items():
            values_yx[labels_yx == label] = value
    return replace(labels, array_zyx=values_zyx)


def expected(facts: RunFacts, key: str) -> str:
    """What the model knows, for messages: each class with its `value` or `label`."""
    listed = ", ".join(f"{getattr(known, key)} {known.name}" for known in facts.classes)
    return f"but the model knows 0 background, {listed}; change them, or leave these classes out"
