"""Settings of the source that makes digital breast phantoms."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from segguided.config.channels import PhantomChannel, channels_field, check_channels
from segguided.config.checks.labels import check_segments
from segguided.config.classes import AnatomyClass
from segguided.config.sources.patient_source import PatientSource


class PhantomSource(PatientSource):
    """Digital breast phantoms, written as DICOM and .seg.nrrd in the Duke layout, then read like Duke."""

    kind: Literal["phantom"]
    size: int = Field(default=96, ge=32)  # in-plane voxels
    slices: int = Field(default=24, ge=4)
    contrast: Literal["t1-fat-suppressed", "t2"] = "t1-fat-suppressed"  # the anatomy is the same in both
    seed: int = Field(default=0, ge=0)
    # Of an image, each with a contrast of its own; none: one, of the `contrast` above.
    channels: Annotated[tuple[PhantomChannel, ...], AfterValidator(check_channels)] = channels_field()
    read_by_slicing: ClassVar = frozenset({"kind", "channels"})

    def check_classes(self, classes: Sequence[AnatomyClass]) -> None:
        """Raise ValueError unless each class names a segment of its own."""
        check_segments(self.kind, classes)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The receipt of the files written for the patient."""
        return [f"<results>/raw/{dataset}/receipts/{row['patient']}.json"]
