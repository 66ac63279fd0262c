"""The files of a CT-ORG patient: from the user's folder, or downloaded from a mirror; SHA-256 either way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segguided.config.sources.ct_org import PACKAGE, CtOrgSource, file_names
from segguided.data.download import checksums
from segguided.data.download.transfer import download
from segguided.data.formats import nifti

SUBFOLDERS = {"volume": "volumes", "labels": "labels"}  # of a mirror
BY_HAND = (
    f"get {PACKAGE} of CT-ORG from TCIA (doi 10.7937/tcia.2019.tt7f4v7o, Aspera package 592) and name its "
    "folder as source.folder"
)
MIRROR = "https://huggingface.co/datasets/MedOtter/ct-org/resolve/main"


def fetch_patient(row: Mapping[str, str], source: CtOrgSource, root: Path) -> dict[str, dict[str, Any]]:
    """Receipt of a patient's `volume` and `labels`: where each file lies, its bytes and its SHA-256.

    A file in the local folder stays there; another is downloaded to `root`/files where a mirror is named.
    Checksums are held against those in `row` or else in `root`/sha256, where first ones are recorded.
    Raises ValueError for a wrong checksum and OSError where a file cannot be had.
    """
    receipt = {}
    for part, name in file_names(row).items():
        path = source.local_file(name) or root / "files" / name
        if path.is_file():
            sha256 = _settled(path, part, row, root)
        else:
            sha256 = _download(path, part, row, source, root)
        receipt[part] = {"file": str(path), "bytes": path.stat().st_size, "sha256": sha256}
    return receipt


def _settled(path: Path, part: str, row: Mapping[str, str], root: Path) -> str:
    record = root / "sha256" / f"{row['patient']}.sha256"
    name = file_names(row)[part]
    return checksums.settle(path, name, row[f"sha256_{part}"], record, nifti.check_complete)


def _download(path: Path, part: str, row: Mapping[str, str], source: CtOrgSource, root: Path) -> str:
    if source.mirror is None:
        looked = f"is not in {source.folder}" if source.folder else "has no folder to come from"
        raise OSError(
            f"{path.name} {looked} and no mirror is named: either {BY_HAND}, or allow a third party's copy "
            f"with source.mirror, such as {MIRROR}"
        )
    partial = path.with_name(f".{path.name}.part")
    resumed = partial.is_file()
    try:
        download(f"{source.mirror.rstrip('/')}/{SUBFOLDERS[part]}/{path.name}", partial)
    except OSError as error:
        if error.errno is not None:  # of the disk, not of the network
            raise
        raise OSError(
            f"{error}; run again later, name another mirror as source.mirror, or {BY_HAND}"
        ) from error
    try:
        sha256 = _settled(partial, part, row, root)
    except ValueError:
        partial.unlink()
        if not resumed:
            raise
        # Perhaps begun from another version of the file: once more, as a whole.
        return _download(path, part, row, source, root)
    partial.replace(path)
    return sha256
