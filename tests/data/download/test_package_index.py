"""Packages are found where pip is set up to look, arrive as files, and none of their code ever runs."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from segguided.data.download.packages import fetch_package, read_member
from segguided.files import sha256_of
from support.loopback import Server, serving
from support.pip_without_settings import unset  # noqa: F401 - a fixture for every test here

NAME = "tinyscan-1.0.tar.gz"

PIN = "tinyscan==1.0"

BACKEND = "[build-system]\nrequires = []\nbuild-backend = 'evil'\nbackend-path = ['.']\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(monkeypatch) as server:
        yield server


def hostile(folder: Path, name: str = NAME) -> Path:
    """A source package that writes the file `ran` in each way to build it."""
    folder.mkdir(parents=True, exist_ok=True)
    evil = f"open({str(folder.parent / 'ran')!r}, 'w')\n"
    files = {
        "setup.py": evil + "from setuptools import setup; setup(name='tinyscan', version='1.0')\n",
        "evil.py": evil,
        "pyproject.toml": BACKEND,
        "PKG-INFO": "Metadata-Version: 2.1\nName: tinyscan\nVersion: 1.0\n",
        "scan.txt": "1 2 3",
    }
    path = folder / name
    with tarfile.open(path, "w:gz") as tar:
        for member, text in files.items():
            info = tarfile.TarInfo(f"tinyscan-1.0/{member}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def page(*links: str) -> bytes:
    return ("<!DOCTYPE html><html>" + "".join(f'<a href="{link}">x</a>' for link in links)).encode()


def serve(server: Server, archive: Path, kind: str) -> None:
    """An index with the package, written in the given way."""
    data, digest = archive.read_bytes(), sha256_of(archive)
    server.files["/files/" + NAME] = data
    link = f"../../files/{NAME}"
    later = "tinyscan-2.0.tar.gz#sha256=" + "1" * 64
    server.files["/simple/tinyscan/"] = {
        "html": page(later, f"{link}#sha256={digest}"),
        "no-hash": page(later, link),
        "md5": page(f"{link}#md5=0"),
        "absolute": page(f"{server.url}/files/{NAME}"),
        "base": b'<base href="/files/">' + page(NAME),
        "json": json.dumps(
            {"files": [{"url": link, "filename": NAME, "hashes": {"sha256": digest}}]}
        ).encode(),
        "json-odd": json.dumps({"files": [7, {}, {"url": 3}, {"url": link, "hashes": []}]}).encode(),
        "wheel-too": page("tinyscan-1.0-py3-none-any.whl", "http://[", "javascript:alert(1)", "", link),
    }[kind]


KINDS = ("html", "no-hash", "md5", "absolute", "base", "json", "json-odd", "wheel-too")


@pytest.mark.parametrize("kind", KINDS)
def test_from_an_index(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    archive = hostile(tmp_path / "made")
    serve(server, archive, kind)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    target = tmp_path / "raw" / "t.tar.gz"
    fetch_package(PIN, sha256_of(archive), target)
    assert target.read_bytes() == archive.read_bytes()
    assert list(target.parent.iterdir()) == [target]
    assert read_member(target, "tinyscan-1.0/scan.txt", tmp_path / "out").read_text() == "1 2 3"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["folder", "uri", "page", "index", "index-without-page", "config-file"])
def test_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    shelf = tmp_path / "my shelf"
    archive = hostile(shelf)
    (shelf / "links.html").write_bytes(page(NAME))
    folder = tmp_path / "simple" / "tinyscan"
    hostile(folder)
    if kind == "index":
        (folder / "index.html").write_bytes(page(NAME))
    settings = {
        "folder": ("FIND_LINKS", f"{tmp_path / 'empty'} {shelf.as_uri()}"),
        "uri": ("FIND_LINKS", shelf.as_uri()),
        "page": ("FIND_LINKS", (shelf / "links.html").as_uri()),
        "index": ("INDEX_URL", folder.parent.as_uri()),
        "index-without-page": ("EXTRA_INDEX_URL", folder.parent.as_uri()),
    }
    if kind == "config-file":
        (tmp_path / "pip.conf").write_text(f"[download]\nfind-links =\n    {shelf.as_uri()}\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    else:
        monkeypatch.setenv("PIP_" + settings[kind][0], settings[kind][1])
    expected = archive if "index" not in kind else folder / NAME
    fetch_package(PIN, sha256_of(expected), tmp_path / "t.tar.gz")
    assert sha256_of(tmp_path / "t.tar.gz") == sha256_of(expected)


def test_a_redirect_is_followed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = hostile(tmp_path / "made")
    serve(server, archive, "no-hash")
    server.faults = [f"{server.url}/simple/tinyscan/"]
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/moved/to/elsewhere")
    fetch_package(PIN, sha256_of(archive), tmp_path / "t.tar.gz")
    assert sha256_of(tmp_path / "t.tar.gz") == sha256_of(archive)


def test_the_next_place_is_asked(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first has no such package, others have another version or other bytes, and one is dead."""
    archive = hostile(tmp_path / "made")
    serve(server, archive, "no-hash")
    server.files["/two/tinyscan/"] = page("tinyscan-2.0.tar.gz")
    server.files["/other/tinyscan/"] = page(NAME)
    server.files[f"/other/tinyscan/{NAME}"] = b"other"
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/none")
    more = f"https://127.0.0.1:9/simple {server.url}/two {server.url}/other {server.url}/simple/"
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", more)
    fetch_package(PIN, sha256_of(archive), tmp_path / "t.tar.gz")
    assert sha256_of(tmp_path / "t.tar.gz") == sha256_of(archive)


def refusal(kind: type[Exception], target: Path, sha256: str = "0" * 64) -> str:
    with pytest.raises(kind) as caught:
        fetch_package(PIN, sha256, target)
    assert not target.exists() and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["html", "no-hash", "json"])
def test_a_wrong_hash_is_refused_and_nothing_runs(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    archive = hostile(tmp_path / "made")
    serve(server, archive, kind)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    message = refusal(ValueError, tmp_path / "t.tar.gz")
    assert f"expected an archive with sha256 {'0' * 64}, got {sha256_of(archive)}" in message
    assert not (tmp_path / "ran").exists()
    asked = [path for path, _ in server.seen]
    assert ("/files/" + NAME in asked) == (
        kind == "no-hash"
    )  # a stated checksum shows that without a download


@pytest.mark.parametrize(
    "content", [page(), page("tinyscan-2.0.tar.gz"), page("tinyscan-1.0.zip"), b"{}", b"\xff{"]
)
def test_an_absent_version(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    server.files["/simple/tinyscan/"] = content
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    message = refusal(OSError, tmp_path / "t.tar.gz")
    assert "none of the 1 places that pip is set up to use has its source archive" in message


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, "refuses it (401)"), (500, "busy or broken"), (404, "none of the 1 places")],
)
def test_faults_of_an_index(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, expected: str
) -> None:
    server.faults = [status] * 9
    monkeypatch.setenv("PIP_INDEX_URL", server.url.replace("//", "//user:s3cret@") + "/simple")
    message = refusal(OSError, tmp_path / "t.tar.gz")
    assert expected in message and "s3cret" not in message


def test_without_any_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert "none of the 0 places" in refusal(OSError, tmp_path / "t.tar.gz")


@pytest.mark.parametrize("link", ["file:///etc/passwd#", "file:{path}", "FILE://{path}"])
def test_an_index_must_not_point_to_local_files(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    archive = hostile(tmp_path / "made")
    server.files["/simple/tinyscan/"] = page(link.format(path=archive))
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    assert "none of the" in refusal(OSError, tmp_path / "t.tar.gz", sha256_of(archive))


@pytest.mark.parametrize("url", ["http://192.0.2.1/simple", "http://127.0.0.1:x@192.0.2.1/simple"])
def test_plain_http_is_only_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", url)
    assert "leads away from https" in refusal(OSError, tmp_path / "t.tar.gz")


def test_a_login_is_sent_to_its_server_alone(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str | None]] = []
    archive = hostile(tmp_path / "made")
    handler = server.RequestHandlerClass
    original = handler.do_GET

    def note(self: object) -> None:
        sent.append((self.path, self.headers["Authorization"]))  # type: ignore[attr-defined]
        original(self)

    monkeypatch.setattr(handler, "do_GET", note)
    serve(server, archive, "absolute")
    with serving(monkeypatch) as second:
        second.files = {"/files/" + NAME: archive.read_bytes()}
        server.files["/simple/tinyscan/"] = page(f"{second.url}/files/{NAME}")
        monkeypatch.setenv("PIP_INDEX_URL", server.url.replace("//", "//us%40er:s3cret@") + "/simple")
        fetch_package(PIN, sha256_of(archive), tmp_path / "t.tar.gz")
    assert sent == [("/simple/tinyscan/", "Basic dXNAZXI6czNjcmV0"), ("/files/" + NAME, None)]
