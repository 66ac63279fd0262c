"""Settings of the source that reads NIfTI volumes and label maps from the disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, model_validator

from segguided.config.channels import NiftiChannel, Pattern, channels_field, check_channels
from segguided.config.checks.labels import check_labels
from segguided.config.checks.names import placeholders
from segguided.config.checks.paths import UsablePath
from segguided.config.classes import AnatomyClass, Label
from segguided.config.sources.patient_source import PatientSource
from segguided.listing import find


class NiftiSource(PatientSource):
    """A folder of NIfTI volumes and label maps; patterns may use any column of the patient table."""

    kind: Literal["nifti"]
    folder: UsablePath
    image: Pattern = "{patient}.nii.gz"
    mask: Pattern = "{patient}_mask.nii.gz"
    ignore: tuple[Label, ...] = ()  # labels that become background
    # Of an image; none: one. Each a file of its own (`image`), else the volumes of the 4-D file `image`.
    channels: Annotated[tuple[NiftiChannel, ...], AfterValidator(check_channels)] = channels_field()
    read_by_slicing: ClassVar = frozenset({"kind", "ignore", "channels"})

    @model_validator(mode="after")
    def _files_of_all_channels(self) -> "NiftiSource":
        without = [channel.name for channel in self.channels if channel.image is None]
        if without and len(without) < len(self.channels):
            raise ValueError(
                f"channels: {', '.join(without)} names no `image`, but others do; give each channel its "
                "file, or none: then they are the volumes of the 4-D file"
            )
        return self

    @property
    def image_patterns(self) -> list[str]:
        """The pattern of each image file."""
        return [channel.image for channel in self.channels if channel.image] or [self.image]

    @property
    def columns(self) -> set[str]:
        """The patient, and the columns that name its files."""
        return {"patient"} | self.path_columns

    @property
    def path_columns(self) -> set[str]:
        """The columns in the braces of its patterns."""
        return {column for pattern in (*self.image_patterns, self.mask) for column in placeholders(pattern)}

    def check_classes(self, classes: Sequence[AnatomyClass]) -> None:
        """Raise ValueError unless each class has a label of its own."""
        check_labels(self.kind, classes, self.ignore)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The image, or one for each channel, and the label map last."""
        patterns = (*self.image_patterns, self.mask)
        return [str(find(Path(self.folder, pattern.format(**row)))) for pattern in patterns]
