"""Settings of the source of the demo's real CTs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from segguided.config.checks.labels import check_found_classes
from segguided.config.classes import AnatomyClass
from segguided.config.sources.patient_source import PatientSource


class DemoCtSource(PatientSource):
    """Real CTs that ship inside open-source packages; the patient table names package, file and checksum."""

    kind: Literal["demo-ct"]

    @property
    def columns(self) -> set[str]:
        """The package and its checksum; the file in it, masks of contrast-filled vessels, the slices used."""
        return {"patient", "package", "sha256", "member", "blood", "slices"}

    @property
    def columns_read_by_slicing(self) -> set[str]:
        """The file in the package, masks of contrast-filled vessels, and the slices used."""
        return {"patient", "member", "blood", "slices"}

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

    def check_rows(self, rows: Iterable[Mapping[str, str]], manifest: str) -> None:
        """Raise ValueError, with file and line, for a cell that names no file or no slices."""
        rows = list(rows)
        super().check_rows(rows, manifest)
        for row in rows:
            slice_range(row.get("slices", ""), getattr(row, "place", manifest))


def slice_range(cell: str, place: str) -> tuple[int, int | None]:
    """The first slice of a volume that is used, and the end of those used (None: of the volume).

    `cell` is as `0-35`, both counted from the feet and used, or empty for all slices. Raises ValueError for
    another text; the sentence begins with `place`.
    """
    if not cell:
        return 0, None
    match = re.fullmatch(r"(\d{1,6})-(\d{1,6})", cell, re.ASCII)
    if not match or int(match[1]) > int(match[2]):
        raise ValueError(
            f"{place}: the column slices has {cell!r}; expected the first and the last slice that is used, "
            "such as 0-35, or nothing for all slices"
        )
    return int(match[1]), int(match[2]) + 1
