"""Settings of the source CT-ORG (Rister et al., Scientific Data 2020, doi 10.1038/s41597-020-00715-8)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from segguided.config.checks.addresses import check_address
from segguided.config.checks.labels import check_labels
from segguided.config.checks.paths import UsablePath
from segguided.config.classes import AnatomyClass, Label
from segguided.config.sources.patient_source import PatientSource

PACKAGE = "OrganSegmentations"  # the folder in TCIA's download that holds the files

CASE = re.compile(r"[\w-]{1,100}")  # N of volume-N.nii.gz


class CtOrgSource(PatientSource):
    """CT-ORG's volume-N.nii.gz and labels-N.nii.gz: a local folder first, else a named mirror."""

    kind: Literal["ct-org"]
    folder: UsablePath | None = None  # what was downloaded from TCIA by hand; nothing of it is copied
    mirror: str | None = None  # https address that holds volumes/ and labels/; None: nothing is downloaded
    ignore: tuple[Label, ...] = Field(default=(6,))  # labels that become background: the brain
    read_by_slicing: ClassVar = frozenset({"kind", "ignore"})

    @field_validator("mirror")
    @classmethod
    def _secure(cls, mirror: str | None) -> str | None:
        if mirror is not None and not check_address(mirror).startswith("https://"):
            raise ValueError(f"expected an address that starts with https://, got '{mirror}'; correct it")
        return mirror

    @property
    def columns(self) -> set[str]:
        """The number N of its files, and their checksums where they are known."""
        return {"patient", "case", "sha256_volume", "sha256_labels"}

    @property
    def path_columns(self) -> set[str]:
        """The number N of its files."""
        return {"case"}

    def check_classes(self, classes: Sequence[AnatomyClass]) -> None:
        """Raise ValueError unless each class has a label of its own."""
        check_labels(self.kind, classes, self.ignore)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The receipt that says where the patient's two files are, and their checksums."""
        return [f"<results>/raw/{dataset}/receipts/{row['patient']}.json"]

    def check_rows(self, rows: Iterable[Mapping[str, str]], manifest: str) -> None:
        """Raise ValueError for a case that would lead to another folder."""
        all_rows = list(rows)
        super().check_rows(all_rows, manifest)
        for row in all_rows:
            if not CASE.fullmatch(row["case"]):
                raise ValueError(
                    f"{getattr(row, 'place', manifest)}: expected the number in its files' names as case, "
                    f"got {row['case'][:80]!r}; correct it"
                )

    def local_file(self, name: str) -> Path | None:
        """The file in the folder or its OrganSegmentations, however deep TCIA's folders were kept."""
        for below in ("", PACKAGE, f"CT-ORG/{PACKAGE}") if self.folder else ():
            path = Path(str(self.folder), below, name)
            if path.is_file():
                return path
        return None


def file_names(row: Mapping[str, str]) -> dict[str, str]:
    """Names of a patient's volume and labels."""
    return {part: f"{part}-{row['case']}.nii.gz" for part in ("volume", "labels")}
