"""Settings of the source that reads DICOM folders, with .seg.nrrd or DICOM masks, from the disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from segguided.config.channels import DicomChannel, channels_field, check_channels
from segguided.config.checks.labels import check_segments
from segguided.config.checks.names import placeholders
from segguided.config.checks.paths import UsablePath
from segguided.config.classes import AnatomyClass
from segguided.config.sources.patient_source import PatientSource
from segguided.listing import find


class DicomSource(PatientSource):
    """One folder of DICOM files a patient (the layout of the Duke data), with .seg.nrrd or DICOM masks."""

    kind: Literal["dicom"]
    images: UsablePath  # folder that holds <patient>/*.dcm
    masks: UsablePath  # folder that holds <patient>/<class file>, at any depth
    # Of an image, each a series in a folder of its own below `images`; none: the folder <patient>.
    channels: Annotated[tuple[DicomChannel, ...], AfterValidator(check_channels)] = channels_field()
    read_by_slicing: ClassVar = frozenset({"kind", "channels"})

    @property
    def series_patterns(self) -> list[str]:
        """The pattern of each folder of DICOM files."""
        return [channel.series for channel in self.channels] or ["{patient}"]

    @property
    def columns(self) -> set[str]:
        """The patient, and the columns that name its series."""
        return {"patient"} | self.path_columns

    @property
    def path_columns(self) -> set[str]:
        """The columns in the braces of its channels' series."""
        return {column for channel in self.channels for column in placeholders(channel.series)}

    def check_classes(self, classes: Sequence[AnatomyClass]) -> None:
        """Raise ValueError unless each class names a segment of its own."""
        check_segments(self.kind, classes)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The patient's folder of DICOM files, or one for each channel; last, the folder of all masks."""
        series = [str(find(Path(self.images, pattern.format(**row)))) for pattern in self.series_patterns]
        return [*series, self.masks]
