"""Settings of the source that reads DICOM folders, with .seg.nrrd or DICOM masks, from the disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from segguided.config.checks.labels import check_segments
from segguided.config.checks.paths import UsablePath
from segguided.config.classes import AnatomyClass
from segguided.config.sources.patient_source import PatientSource
from segguided.listing import find


class DicomSource(PatientSource):
    """One folder of DICOM files a patient (the layout of the Duke data), with .seg.nrrd or DICOM masks."""

    kind: Literal["dicom"]
    images: UsablePath  # folder that holds <patient>/*.dcm
    masks: UsablePath  # folder that holds <patient>/<class file>, at any depth

    def check_classes(self, classes: Sequence[AnatomyClass]) -> None:
        """Raise ValueError unless each class names a segment of its own."""
        check_segments(self.kind, classes)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The patient's folder of DICOM files, and the folder that holds all masks."""
        return [str(find(Path(self.images, row["patient"]))), self.masks]
