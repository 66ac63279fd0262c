"""Settings of the source of the demo's real CTs."""

from collections.abc import Mapping, Sequence
from typing import Literal

from segguided.config.checks.labels import check_found_classes
from segguided.config.classes import AnatomyClass
from segguided.config.sources.patient_source import PatientSource


class DemoCtSource(PatientSource):
    """Real CTs that ship inside open-source packages; the patient table names package, file and checksum."""

    kind: Literal["demo-ct"]

    @property
    def columns(self) -> set[str]:
        """The package and its checksum; the file in it, and masks of contrast-filled vessels."""
        return {"patient", "package", "sha256", "member", "blood"}

    @property
    def columns_read_by_slicing(self) -> set[str]:
        """The file in the package, and masks of contrast-filled vessels."""
        return {"patient", "member", "blood"}

    @property
    def path_columns(self) -> set[str]:
        """The package and the file in it."""
        return {"package", "member"}

    def check_classes(self, classes: Sequence[AnatomyClass]) -> None:
        """Raise ValueError unless the classes are body, lungs and bone."""
        check_found_classes(self.kind, classes)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The source package."""
        return [f"<results>/downloads/{row['package']}.tar.gz"]
