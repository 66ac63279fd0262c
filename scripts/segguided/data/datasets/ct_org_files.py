"""The files of a CT-ORG patient: from the user's folder or a mirror, checked by SHA-256."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segguided.config.sources.ct_org import PACKAGE, CtOrgSource, file_names
from segguided.data.download import checksums
from segguided.data.download.transfer import download
from segguided.data.formats import nifti
from segguided.listing import walk

LABELS = re.compile(r"labels-(\d+)\.nii\.gz", re.IGNORECASE)
SUBFOLDERS = {"volume": "volumes", "labels": "labels"}  # of a mirror
BY_HAND = (
    f"get {PACKAGE} of CT-ORG from TCIA (doi 10.7937/tcia.2019.tt7f4v7o, Aspera package 592) and name its "
    "folder as source.folder"
)
MIRROR = "https://huggingface.co/datasets/MedOtter/ct-org/resolve/main"


def fetch_patient(row: Mapping[str, str], source: CtOrgSource, root: Path) -> dict[str, dict[str, Any]]:
    """Receipt of a patient's `volume` and `labels`: path, bytes and SHA-256 of each file.

    A file in the local folder stays there; another is downloaded to `root`/files where a mirror is named.
    Checksums are compared to those in `row`, or else in `root`/sha256, where new ones are recorded.
    Raises ValueError for a wrong checksum and OSError where a file cannot be found or downloaded.
    """
    receipt = {}
    for part, name in file_names(row).items():
        path = source.local_file(name) or root / "files" / name
        if path.is_file():
            sha256 = _checked_sha256(path, part, row, root)
        else:
            sha256 = _download(path, part, row, source, root)
        receipt[part] = {"file": str(path), "bytes": path.stat().st_size, "sha256": sha256}
    return receipt


def _checked_sha256(path: Path, part: str, row: Mapping[str, str], root: Path) -> str:
    record = root / "sha256" / f"{row['patient']}.sha256"
    name = file_names(row)[part]
    return checksums.check_or_record(path, name, row[f"sha256_{part}"], record, nifti.check_complete)


def _download(path: Path, part: str, row: Mapping[str, str], source: CtOrgSource, root: Path) -> str:
    """SHA-256 of the file, which is downloaded from the mirror and checked."""
    url = _mirror_address(path.name, part, source)
    partial = path.with_name(f".{path.name}.part")
    resumed = partial.is_file()
    _fetch(url, partial)
    try:
        sha256 = _checked_sha256(partial, part, row, root)
    except ValueError:
        partial.unlink()
        if not resumed:
            raise
        # The earlier part may be of another version of the file: download the whole file once more.
        return _download(path, part, row, source, root)
    partial.replace(path)
    return sha256


def _mirror_address(name: str, part: str, source: CtOrgSource) -> str:
    """Address of the file on the mirror. Raises OSError where the settings name no mirror."""
    if source.mirror is None:
        absence = f"is not in {source.folder}" if source.folder else "has no folder to come from"
        raise OSError(
            f"{name} {absence} and no mirror is named: either {BY_HAND}, or allow a third party's copy with "
            f"source.mirror, such as {MIRROR}"
        )
    return f"{source.mirror.rstrip('/')}/{SUBFOLDERS[part]}/{name}"


def _fetch(url: str, partial: Path) -> None:
    """Download; where the network fails, the error says what else can be done."""
    try:
        download(url, partial)
    except OSError as error:
        if error.errno is not None:  # an error of the disk, not of the network
            raise
        raise OSError(
            f"{error}; run again later, name another mirror as source.mirror, or {BY_HAND}"
        ) from error


def find_labels(folder: Path) -> dict[int, Path]:
    """labels-N.nii.gz of each case N in or below `folder`. Raises ValueError where a case has two."""
    files: dict[int, Path] = {}
    for listing in walk(folder, [".nii.gz"]) if folder.is_dir() else ():
        for name, path in listing.files.items():
            match = LABELS.fullmatch(name)
            if not match:
                continue
            case = int(match[1])
            if case in files:
                raise ValueError(f"{path}: case {case} is there twice, also as {files[case]}; keep one")
            files[case] = path
    return files
