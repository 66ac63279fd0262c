"""Settings of the source that reads NIfTI volumes and label maps from the disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import field_validator

from segguided.config.checks.labels import check_labels
from segguided.config.checks.names import check_inside, placeholders
from segguided.config.checks.paths import UsablePath
from segguided.config.classes import AnatomyClass, Label
from segguided.config.sources.patient_source import PatientSource
from segguided.listing import find


class NiftiSource(PatientSource):
    """A folder of NIfTI volumes and label maps; patterns may use any column of the patient table."""

    kind: Literal["nifti"]
    folder: UsablePath
    image: str = "{patient}.nii.gz"
    mask: str = "{patient}_mask.nii.gz"
    ignore: tuple[Label, ...] = ()  # labels that become background
    read_by_slicing: ClassVar = frozenset({"kind", "ignore"})

    @field_validator("image", "mask")
    @classmethod
    def _varies_by_patient(cls, pattern: str) -> str:
        if not placeholders(pattern):
            raise ValueError(
                f"'{pattern}' names one file for all patients; use a column, such as {{patient}}"
            )
        return check_inside(pattern, "the file")

    @property
    def columns(self) -> set[str]:
        """The patient, and the columns that name its files."""
        return {"patient"} | self.path_columns

    @property
    def path_columns(self) -> set[str]:
        """The columns in the braces of its patterns."""
        return placeholders(self.image) | placeholders(self.mask)

    def check_classes(self, classes: Sequence[AnatomyClass]) -> None:
        """Raise ValueError unless each class has a label of its own."""
        check_labels(self.kind, classes, self.ignore)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The image and the label map."""
        return [str(find(Path(self.folder, pattern.format(**row)))) for pattern in (self.image, self.mask)]
