"""Servers that send without an end, too much, too slowly, or something else: each ends in one sentence."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from segguided.data.download import answers
from segguided.data.download import transfer as module
from segguided.data.download.transfer import download
from support.loopback import Server, certificate, serving

OK = b"HTTP/1.1 200 OK\r\n"
Write = Callable[[bytes], None]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "PAUSES_S", (0.01, 0.02, 0.03))
    with serving(monkeypatch) as server:
        yield server


@contextmanager
def sending(talk: Callable[[Write], None]) -> Iterator[str]:
    """The address of a server whose raw answer to each request is what `talk` writes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate())
    ended = threading.Event()

    def serve(raw: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(raw, server_side=True) as connection:
            connection.recv(65536)

            def write(data: bytes) -> None:
                if ended.is_set():
                    raise OSError
                connection.sendall(data)

            talk(write)

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                raw, _ = listening.accept()
                threading.Thread(target=serve, args=(raw,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)


def drip(write: Write, head: bytes, piece: bytes) -> None:
    write(head)
    while True:
        write(piece)
        time.sleep(0.02)


def refusal(url: str, part: Path, most: int = module.MOST_BYTES) -> str:
    with pytest.raises(OSError) as caught:
        download(url, part, most)
    return (caught.value.strerror or str(caught.value)).removeprefix(f"{url}: ")


DRIPS = {
    "body": (OK + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "body-without-length": (OK + b"\r\n", b"x"),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "head-of-a-chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "resumed": (b"HTTP/1.1 206 OK\r\nContent-Range: bytes 3-9999999/10000000\r\n\r\n", b"x"),
}


@pytest.mark.parametrize("kind", DRIPS)
def test_one_byte_at_a_time_ends_at_the_time_limit(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(module, "LONGEST_S", 0.5)
    part = tmp_path / "part"
    if kind == "resumed":
        part.write_bytes(b"abc")
    started = time.monotonic()
    with sending(lambda write: drip(write, *DRIPS[kind])) as url:
        assert "took over 0.5 s and is not complete" in refusal(url, part)
    assert time.monotonic() - started < 2
    assert part.read_bytes().strip(b"abcx") == b""


@pytest.mark.parametrize("kind", ["body", "body-without-length", "chunks"])
def test_too_slow_is_tried_again_a_few_times(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(module, "SLOW_S", 0.1)
    with sending(lambda write: drip(write, *DRIPS[kind])) as url:
        message = refusal(url, tmp_path / "part")
    assert message == "the server sends less than 1000 bytes a second, also when tried again"


@pytest.mark.parametrize(
    ("head", "piece"),
    [(b"", b"H"), (OK, b"X-A: b\r\n"), (OK + b"X: ", b"y"), (b"HTTP/1.1 100 Continue\r\n\r\n", b"H")],
)
def test_headers_without_an_end(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes, piece: bytes
) -> None:
    monkeypatch.setattr(answers, "ANSWER_S", 0.2)
    monkeypatch.setattr(module, "PATIENCE_S", 0.3)
    with sending(lambda write: drip(write, head, piece)) as url:
        assert refusal(url, tmp_path / "part") == "the server does not answer in time, also when tried again"


def endless(write: Write) -> None:
    while True:
        write(bytes(1 << 16))


@pytest.mark.parametrize(
    "head",
    [OK + b"\r\n", OK + b"Content-Length: -1\r\n\r\n", OK + b"Content-Length: 0x9\r\n\r\n"],
)
def test_an_answer_without_a_length_has_a_bound(server: Server, tmp_path: Path, head: bytes) -> None:
    def talk(write: Write) -> None:
        write(head)
        endless(write)

    part = tmp_path / "part"
    with sending(talk) as url:
        message = refusal(url, part, most=1_000_000)
    assert message == "expected a file of at most 1 MB, but the server sends more; nothing was kept"
    assert not part.exists()


@pytest.mark.parametrize("length", [1_000_001, 10**12, 10**18])
def test_too_large_is_refused_by_its_length(server: Server, tmp_path: Path, length: int) -> None:
    with sending(lambda write: write(OK + f"Content-Length: {length}\r\n\r\n".encode())) as url:
        assert "at most 1 MB" in refusal(url, tmp_path / "part", most=1_000_000)


@pytest.mark.parametrize("known", [True, False])
def test_the_disk_is_never_filled(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    part = tmp_path / "part"

    def disk_usage(_folder: Path) -> SimpleNamespace:
        written = part.stat().st_size if part.exists() else 0
        return SimpleNamespace(free=module.KEPT_FREE + 900_000 - written)

    monkeypatch.setattr(module, "CHECK_EVERY", 100_000)
    monkeypatch.setattr("shutil.disk_usage", disk_usage)

    def talk(write: Write) -> None:
        write(OK + (b"Content-Length: 1000000\r\n\r\n" if known else b"\r\n") + bytes(1_000_000))

    with sending(talk) as url:
        message = refusal(url, part)
    assert message.startswith(f"no room for {'1 MB' if known else 'more'} in {tmp_path}")
    assert part.exists() != known


def redirecting(target: str) -> Callable[[Write], None]:
    def talk(write: Write) -> None:
        write(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\n\r\n".encode())
        endless(write)

    return talk


@pytest.mark.parametrize("target", ["/same", "https://127.0.0.1:{port}/other", "?again"])
def test_redirects_without_an_end_and_their_endless_bodies(
    server: Server, tmp_path: Path, target: str
) -> None:
    ports: list[str] = []

    def talk(write: Write) -> None:
        redirecting(target.format(port=ports[0]))(write)

    with sending(talk) as url:
        ports.append(url.rsplit(":", 1)[1])
        started = time.monotonic()
        assert refusal(url, tmp_path / "part") == "it leads from one address to the next without an end"
    assert time.monotonic() - started < 5


def test_a_body_of_a_redirect_is_not_read(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = b"content"
    with sending(redirecting(f"{server.url}/a")) as url:
        assert download(f"{url}/x", tmp_path / "part") == f"{server.url}/a"
    assert (tmp_path / "part").read_bytes() == b"content"


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><p>Log in", b"\n <html lang=en>", b"<HTML><BODY>"])
def test_a_web_page_is_no_file(server: Server, tmp_path: Path, page: bytes) -> None:
    server.files["/a.nii.gz"] = page
    message = refusal(f"{server.url}/a.nii.gz", tmp_path / "part")
    assert message == "the server sent a web page in place of the file"
    assert not (tmp_path / "part").exists() or not (tmp_path / "part").stat().st_size
    download(f"{server.url}/a.nii.gz", tmp_path / "page", page=True)
    assert (tmp_path / "page").read_bytes() == page


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br, gzip"])
def test_a_declared_compression_is_never_unpacked(server: Server, tmp_path: Path, encoding: str) -> None:
    bomb = gzip.compress(bytes(30_000_000))
    server.files["/a"] = bomb
    server.headers = {"Content-Encoding": encoding}
    download(f"{server.url}/a", tmp_path / "part", most=len(bomb))
    assert (tmp_path / "part").read_bytes() == bomb


@pytest.mark.parametrize("lie", [-1, -500, 1, 500])
def test_a_wrong_length_is_an_error_or_cuts_the_file(server: Server, tmp_path: Path, lie: int) -> None:
    def talk(write: Write) -> None:
        write(OK + f"Content-Length: {1000 + lie}\r\n\r\n".encode() + bytes(1000))

    part = tmp_path / "part"
    with sending(talk) as url:
        if lie > 0:
            assert "also when tried again" in refusal(url, part)
        else:  # the rest is no part of the answer; only checksums can notice it
            download(url, part)
            assert part.stat().st_size == 1000 + lie


@pytest.mark.parametrize("etag", ['"a"\x01', '"ü"', "no quotes", '"a" "b"'])
def test_an_invalid_etag_is_not_sent_back(server: Server, tmp_path: Path, etag: str) -> None:
    heads: list[bytes] = []

    def talk(write: Write) -> None:
        heads.append(b"")
        content = b"Content-Length: 10\r\nETag: " + etag.encode("latin1") + b"\r\n\r\n"
        if len(heads) == 1:
            write(OK + content + b"01234")
        else:
            write(b"HTTP/1.1 206 OK\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n56789")

    with sending(talk) as url:
        download(url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == b"0123456789"


SECRETS = [
    "https://user:s3cret@127.0.0.1:9/x",
    "https://s3cret@127.0.0.1:9/x",
    "https://u:p@s3cret@127.0.0.1:9/x",
]


@pytest.mark.parametrize("url", [*SECRETS, "https://127.0.0.1:9/x?sig=s3cret&a=b"])
def test_logins_and_signatures_are_never_shown(
    server: Server, tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"), pytest.raises(OSError) as caught:
        download(url, tmp_path / "part")
    assert "s3cret" not in str(caught.value) + caplog.text
    assert "127.0.0.1:9" in str(caught.value)
    assert len(caplog.records) == 3


def test_a_signature_in_a_redirect_is_not_shown(server: Server, tmp_path: Path) -> None:
    for target in (
        "https://u:s3cret@127.0.0.1:9/y",
        "https://127.0.0.1:9/y?X-Signature=s3cret",
        "ht!tp://s3cret",
    ):
        server.faults = [target] * 4
        assert "s3cret" not in refusal(f"{server.url}/x", tmp_path / "part")
