"""Settings of the source that fetches DICOM series from NCI Imaging Data Commons (Duke breast MRI)."""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import field_validator

from segguided.config.checks.addresses import check_address
from segguided.config.checks.labels import check_segments
from segguided.config.checks.paths import UsablePath
from segguided.config.classes import AnatomyClass
from segguided.config.sources.patient_source import PatientSource

# Encrypted, or on this very machine: a tunnel or a local store.
ENDPOINT = re.compile(r"https://[^\s/]+.*|http://(127\.0\.0\.1|localhost)(:\d+)?/?")


class IdcSource(PatientSource):
    """DICOM series in public buckets, one a patient, and .seg.nrrd masks in a folder downloaded by hand."""

    kind: Literal["idc"]
    masks: UsablePath  # folder that holds <patient>/<class file>, at any depth
    endpoint: str | None = None  # another S3 server that holds the same buckets; None: AWS
    read_by_slicing: ClassVar = frozenset({"kind", "masks"})

    @field_validator("endpoint")
    @classmethod
    def _secure(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not ENDPOINT.fullmatch(check_address(endpoint)):
            raise ValueError(
                f"expected an address that starts with https:// (or http://localhost), got '{endpoint}'; "
                "correct it"
            )
        return endpoint

    @property
    def columns(self) -> set[str]:
        """Where to fetch the patient's series, and what it must be."""
        return {"patient", "series_uid", "series_url", "instances", "size_MB"}

    def check_classes(self, classes: Sequence[AnatomyClass]) -> None:
        """Raise ValueError unless each class names a segment of its own."""
        check_segments(self.kind, classes)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The receipt of the fetched series and of the patient's masks."""
        return [f"<results>/raw/{dataset}/receipts/{row['patient']}.json"]
