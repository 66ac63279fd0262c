"""Source packages that a patient table names, with version and SHA-256: checked before anything runs."""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from packaging.utils import InvalidName, NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

PIN = re.compile(r"([A-Za-z0-9._-]{1,100})==([A-Za-z0-9._!+-]{1,100})")
SHA256 = re.compile(r"[0-9a-f]{64}")


def parse_pin(requirement: str) -> tuple[NormalizedName, Version]:
    """Name and version of a requirement such as "pyradiomics==3.0.1". Raises ValueError for other text."""
    match = PIN.fullmatch(requirement)
    try:
        if match:
            return canonicalize_name(match[1], validate=True), Version(match[2])
    except (InvalidName, InvalidVersion):
        pass
    raise ValueError(f"expected a pinned package such as name==1.0, got {requirement!r}; correct it")


def check_member(member: str) -> None:
    """Raise ValueError unless `member` is the name of a file inside an archive."""
    name = PurePosixPath(member)
    if not name.parts or name.is_absolute() or ".." in name.parts or not member.isprintable():
        raise ValueError(f"expected a file name inside the archive, got {member!r}; correct it")


def pinned_packages(tables: Mapping[str, Iterable[Mapping[str, str]]]) -> dict[str, str]:
    """SHA-256 of each package in the rows of the tables; `tables` gives the rows by the table's file name.

    Raises ValueError for a package without a version, a checksum that is none, a member that is no file
    name, and two checksums of one package.
    """
    sha256_of: dict[str, str] = {}
    for table, rows in tables.items():
        for row in rows:
            try:
                _add(row, sha256_of)
            except ValueError as error:
                raise ValueError(f"{table}, patient {row['patient']}: {error}") from None
    return sha256_of


def _add(row: Mapping[str, str], sha256_of: dict[str, str]) -> None:
    package = row["package"]
    sha256 = row["sha256"]
    parse_pin(package)
    for member in (row["member"], *filter(None, map(str.strip, row["blood"].split(";")))):
        check_member(member)
    if not SHA256.fullmatch(sha256):
        raise ValueError(f"expected a SHA-256 of 64 hexadecimal digits, got {sha256!r}; correct it")
    if sha256_of.setdefault(package, sha256) != sha256:
        raise ValueError(
            f"{package} has another sha256 than in an earlier row ({sha256_of[package]}); correct the wrong "
            "value"
        )
