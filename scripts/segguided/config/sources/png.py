"""Settings of the source that reads slices and masks as PNG files from the disk."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from segguided.config.channels import Channel, channels_field, check_channels
from segguided.config.checks.labels import check_labels
from segguided.config.checks.paths import UsablePath
from segguided.config.classes import AnatomyClass, Label
from segguided.config.sources.patient_source import PatientSource


class PngSource(PatientSource):
    """PNG slices and masks of equal names in train, val and test: the layout of the paper authors' code."""

    kind: Literal["png"]
    images: UsablePath  # folder that holds {train,val,test}/<patient>_slice_<number>.png
    masks: UsablePath  # folder that holds the same names, with a class's value in its pixels
    ignore: tuple[Label, ...] = ()  # values that become background
    # Of an image; none: grey ones. Two are grey with alpha, three are red, green and blue, four add alpha.
    channels: Annotated[tuple[Channel, ...], AfterValidator(check_channels)] = channels_field()
    read_by_slicing: ClassVar = frozenset({"kind", "ignore", "channels"})

    def check_classes(self, classes: Sequence[AnatomyClass]) -> None:
        """Raise ValueError unless each class has a label of its own, or none has one."""
        check_labels(self.kind, classes, self.ignore)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The folders of all patients' images and masks."""
        return [self.images, self.masks]
