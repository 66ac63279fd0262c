"""Source packages, checked by their SHA-256, and single files of them. No package is built or run."""

import io
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from shutil import copyfile, copyfileobj

import requests
from isal import igzip

from segguided.data.download.answers import NoSuchFile
from segguided.data.download.package_index import Link, places, read_links
from segguided.data.download.pins import check_member, parse_pin
from segguided.data.download.pip_session import pip_session, without_login
from segguided.data.download.pip_settings import read_settings
from segguided.data.download.transfer import download
from segguided.data.formats import packed
from segguided.files import atomic_path, sha256_of

MOST_UNPACKED = 4_000_000_000  # bytes of an archive that are unpacked
MOST_AT_ONCE = 100_000_000  # bytes that are read into memory
MOST_ENTRIES = 200_000
DAMAGED: tuple[type[Exception], ...] = (tarfile.TarError, *packed.DAMAGED)


def fetch_package(requirement: str, sha256: str, target: Path) -> None:
    """Download the source archive of `requirement` (such as "pyradiomics==3.0.1") to `target`.

    It comes from the places that pip is set up to use, but as a mere file: pip would run code of the package.
    A target that already has this checksum is kept. Raises ValueError for another checksum and OSError
    where the download fails; then no new file is written.
    """
    parse_pin(requirement)
    if target.is_file() and sha256_of(target) == sha256:
        return
    with atomic_path(target) as partial, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        _Search(requirement, sha256, target, Path(scratch)).run().replace(partial)


class _Search:
    """Asks place after place until one has the archive with the right checksum."""

    def __init__(self, requirement: str, sha256: str, target: Path, scratch: Path) -> None:
        self.requirement = requirement
        self.sha256 = sha256
        self.target = target
        self.scratch = scratch
        self.name, self.version = parse_pin(requirement)
        settings = read_settings()
        self.places = list(map(without_login, places(settings, self.name)))
        self.session = pip_session(settings)
        self.wrong_sums: list[str] = []  # checksums of archives that are not the right one
        self.failures: list[str] = []  # why places or archives could not be read
        self.without = 0  # number of places that answered, but have no such archive

    def run(self) -> Path:
        """The archive, in the scratch folder. Raises ValueError or OSError where no place has it."""
        for place in self.places:
            for link in self._links(place):
                archive = self._take(link)
                if archive:
                    return archive
        raise self._failure()

    def _links(self, place: str) -> list[Link]:
        try:
            links = read_links(place, self.session, self.scratch)
        except NoSuchFile:
            links = []
        except OSError as error:
            self.failures.append(error.strerror or str(error))
            return []
        sources = [link for link in links if link.is_source_of(self.name, self.version)]
        self.without += not sources
        return sorted(sources, key=self._is_known_wrong)

    def _is_known_wrong(self, link: Link) -> bool:
        """Whether the page states another checksum than the one wanted."""
        return link.sha256 not in ("", self.sha256)

    def _take(self, link: Link) -> Path | None:
        """The linked archive, in the scratch folder; None where it cannot be read or is not the right one."""
        if self._is_known_wrong(link):
            self.wrong_sums.append(link.sha256)
            return None
        archive = self.scratch / "archive"
        archive.unlink(missing_ok=True)
        try:
            _copy_or_download(without_login(link.url), link.path, archive, self.session)
        except OSError as error:
            self.failures.append(error.strerror or str(error))
            return None
        sha256 = sha256_of(archive)
        if sha256 != self.sha256:
            self.wrong_sums.append(sha256)
            return None
        return archive

    def _failure(self) -> ValueError | OSError:
        """The error to raise when no place had the archive."""
        by_hand = f"or put the archive with sha256 {self.sha256} at {self.target} by hand"
        if self.wrong_sums:
            return ValueError(
                f"{self.requirement}: expected an archive with sha256 {self.sha256}, got "
                f"{self.wrong_sums[0]}; it was not kept: download again, or correct the checksum in the "
                "patient table if you chose another package"
            )
        if self.failures and not self.without and all(map(_is_unreachable, self.failures)):
            return OSError(
                f"could not download {self.requirement}: the Python package index cannot be reached; run the "
                f"same command again with a network connection, {by_hand}"
            )
        reasons = list(self.failures)
        if self.without or not self.places:
            reasons.append(
                f"none of the {len(self.places)} places that pip is set up to use has its source archive"
            )
        return OSError(
            f"could not download {self.requirement} ({'; '.join(reasons)}); fix this and run again, {by_hand}"
        )


def _is_unreachable(failure: str) -> bool:
    return "cannot be reached" in failure or "does not answer" in failure


def _copy_or_download(url: str, path: Path | None, archive: Path, session: requests.Session) -> None:
    if path:
        copyfile(path, archive)
    else:
        download(url, archive, session=session)


def read_member(archive: Path, member: str, folder: Path) -> Path:
    """Extract one regular file of a .tar.gz archive below `folder` and return its path.

    Raises ValueError where the archive is damaged or far too large, where it has no such file, and where the
    file is a link or would be written outside of `folder`.
    """
    if not archive.is_file():
        raise ValueError(f"{archive}: expected a package archive, but there is none; fetch it first")
    try:
        check_member(member)
    except ValueError as error:
        raise ValueError(f"{archive}: {error}") from None
    try:
        with igzip.open(archive) as unpacked, tarfile.open(fileobj=_BoundedFile(unpacked)) as tar:
            return _extracted(tar, _regular_file(tar, archive, member), folder)
    except DAMAGED as error:
        raise ValueError(
            f"{archive}: cannot read {member} ({error}); delete the archive and fetch it again"
        ) from error


def _extracted(tar: tarfile.TarFile, info: tarfile.TarInfo, folder: Path) -> Path:
    """Write a regular file of the archive below `folder` and return its path. A link there is not followed.

    tarfile's own extraction filters are not in every Python 3.11: they came with 3.11.4.
    """
    path = folder / PurePosixPath(info.name)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise tarfile.ExtractError(
            f"it would be written to {path.resolve()}, outside the destination {folder}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = tar.extractfile(info)
    assert contents is not None, "a regular file has contents"
    with contents, path.open("wb") as file:
        copyfileobj(contents, file)
    return path


def _regular_file(tar: tarfile.TarFile, archive: Path, member: str) -> tarfile.TarInfo:
    """The first entry of that name; the entries behind it are not unpacked."""
    info = next((entry for entry in _entries(tar) if entry.name == member), None)
    if info is None:
        raise ValueError(f"{archive}: holds no file {member}; correct its name in the patient table")
    if not info.isreg() or info.issparse():
        raise ValueError(f"{archive}: expected {member} to be a plain file, but it is a link or folder")
    return info


def _entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for _ in range(MOST_ENTRIES):
        try:
            info = tar.next()
        except ValueError as error:
            raise tarfile.ReadError(f"no valid header: {error}") from error
        if info is None:
            return
        yield info
    raise tarfile.ReadError(f"it has over {MOST_ENTRIES} entries")


class _BoundedFile(io.RawIOBase):
    """An unpacked archive that raises an error where a small file unpacks to a very large one."""

    def __init__(self, unpacked: io.BufferedIOBase) -> None:
        self.unpacked = unpacked

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes."""
        if not 0 <= size <= MOST_AT_ONCE:  # tarfile reads headers as long as the archive says
            raise tarfile.ReadError(f"a header of {size} bytes")
        _check_end(self.unpacked.tell() + size)
        return self.unpacked.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position from the start."""
        _check_end(offset)
        return self.unpacked.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self.unpacked.tell()


def _check_end(position: int) -> None:
    if position > MOST_UNPACKED:
        raise tarfile.ReadError(f"it unpacks to over {MOST_UNPACKED / 1e9:g} GB")
