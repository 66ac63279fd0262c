"""Links to the source archives of a package, from the indexes and folders that pip is set up to use.

Pages are read as pip reads them (PEP 503 and 691). No package is built or run.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urljoin, urlsplit
from urllib.request import url2pathname

import requests
from packaging.utils import InvalidSdistFilename, NormalizedName, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from segguided.data.download.pip_settings import PipSettings
from segguided.data.download.transfer import download

MOST_PAGE = 100_000_000  # bytes
ENDING = ".tar.gz"


@dataclass(frozen=True)
class Link:
    """A file that may be a package: its address, and the SHA-256 that its page states (empty: none)."""

    url: str
    sha256: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return unquote(PurePosixPath(urlsplit(self.url).path).name)

    @property
    def path(self) -> Path | None:
        """The file, where it is on this machine; else None."""
        return _local_path(self.url)

    def is_source_of(self, name: NormalizedName, version: Version) -> bool:
        """Whether it is the source archive of this version."""
        try:
            return self.name.endswith(ENDING) and parse_sdist_filename(self.name) == (name, version)
        except (InvalidSdistFilename, InvalidVersion):
            return False


def places(settings: PipSettings, name: NormalizedName) -> list[str]:
    """Where links to a package's files may be, local folders first: addresses of pages and folders."""
    indexes = [f"{index.rstrip('/')}/{name}/" for index in settings.indexes]
    folders = [place if "://" in place else Path(place).absolute().as_uri() for place in settings.links]
    return [*folders, *indexes]


def read_links(place: str, session: requests.Session, scratch: Path) -> list[Link]:
    """All links of a page, or all archives of a folder. Raises OSError where it cannot be read."""
    path = _local_path(place)
    base = place  # where relative links start from
    if path is None:
        page = scratch / "page"
        page.unlink(missing_ok=True)
        base = download(place, page, MOST_PAGE, session, page=True)
    elif path.is_dir() and not (path / "index.html").is_file():
        return [Link(file.as_uri()) for file in sorted(path.iterdir()) if file.name.endswith(ENDING)]
    else:
        page = path / "index.html" if path.is_dir() else path
    links = _parse(page.read_bytes()[:MOST_PAGE].decode("utf-8", "replace"), base)
    # A page of a server must not point to files of this machine.
    return [link for link in links if path or not link.path]


def _local_path(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)).absolute() if parts.scheme == "file" else None


def _parse(text: str, base: str) -> list[Link]:
    targets = _from_json(text) if text.lstrip().startswith("{") else _from_html(text)
    links = []
    for target, sha256 in targets:
        try:
            url = urljoin(base, target)
            stated = parse_qs(urlsplit(url).fragment).get("sha256", [""])[0]
        except ValueError:  # not an address
            continue
        links.append(Link(url.partition("#")[0], (sha256 or stated).lower()))
    return links


def _from_json(text: str) -> Iterator[tuple[str, str]]:
    """Target and stated SHA-256 (or an empty string) of each link."""
    try:
        page: Any = json.loads(text)
    except (ValueError, RecursionError):
        return
    files = page.get("files")
    for file in files if isinstance(files, list) else ():
        if isinstance(file, dict) and isinstance(file.get("url"), str):
            hashes = file.get("hashes")
            yield file["url"], str(hashes.get("sha256", "")) if isinstance(hashes, dict) else ""


def _from_html(text: str) -> Iterator[tuple[str, str]]:
    anchors = _Anchors()
    anchors.feed(text)
    for target in anchors.targets:
        yield urljoin(anchors.base, target), ""


class _Anchors(HTMLParser):
    """The targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the target of a link, or the address that relative links start from."""
        target = dict(attrs).get("href")
        if target and tag == "a":
            self.targets.append(target.strip())
        elif target and tag == "base":
            self.base = self.base or target
