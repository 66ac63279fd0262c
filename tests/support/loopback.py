"""A local HTTPS server with ranges, ETags and faults, for downloads in tests."""

import atexit
import hashlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

OPENSSL = (
    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
)  # fmt: skip


@cache
def certificate() -> Path:
    """Key and certificate for 127.0.0.1, made for this process by the openssl command."""
    folder = Path(tempfile.mkdtemp(prefix="loopback-"))
    atexit.register(shutil.rmtree, folder)
    key, signed, both = (folder / name for name in ("key.pem", "certificate.pem", "both.pem"))
    command = [*OPENSSL, "-keyout", str(key), "-out", str(signed)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + signed.read_text())
    return both


class Server(ThreadingHTTPServer):
    """Serves `files` by path. Each request takes the next of `faults`; `seen` lists paths and ranges."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate())
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.files: dict[str, bytes] = {}
        self.faults: list[int | str] = []
        self.headers: dict[str, str] = {}
        self.seen: list[tuple[str, str | None]] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"

    @property
    def ranges(self) -> list[str | None]:
        return [asked for _, asked in self.seen]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up or distrust the certificate are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET requests, or shows the next fault where there is one."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.seen.append((self.path, self.headers["Range"]))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if isinstance(fault, int):
            self.answer(fault, b"no")
        elif fault == "silent":
            self.server.closing.wait(20)
        elif isinstance(fault, str) and "://" in fault:
            self.send_response(302)
            self.send_header("Location", fault)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path not in self.server.files:
            self.answer(404, b"no")
        else:
            self.content(self.server.files[self.path], fault)

    def content(self, data: bytes, fault: str | None) -> None:
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        asked = self.headers["Range"]
        whole = len(data)
        if asked and self.headers.get("If-Range", etag) == etag and fault != "no-ranges":
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= whole:
                self.answer(416, b"", {"Content-Range": f"bytes */{whole}"})
                return
            end = (start + whole) // 2 if fault == "short" else whole  # a server may send less than asked for
            extra = {"Content-Range": f"bytes {start}-{end - 1}/{whole}"}
            self.answer(206, data[start:end], {**extra, "ETag": etag}, fault)
        else:
            self.answer(200, data, {"ETag": etag}, fault)

    def answer(
        self, status: int, data: bytes, extra: dict[str, str] | None = None, fault: str | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**(extra or {}), **self.server.headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault == "cut":
            self.wfile.write(data[: len(data) // 2])
        elif fault == "slow":
            for start in range(0, len(data), len(data) // 100 + 1):
                self.wfile.write(data[start : start + len(data) // 100 + 1])
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self.wfile.write(data)


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running Server whose certificate this process and its children trust."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate()))
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def deaf() -> Iterator[int]:
    """The port of a server that accepts no connection, as behind a firewall: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        port = listening.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        try:
            yield port
        finally:
            for client in waiting:
                client.close()
