"""Downloads from a stand-in of the Hugging Face hub: whole, too slow, too much, and refused."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from segguided.data.download.watched import Limits
from segguided.models import hub

FILES = {"vae/config.json": b"{}", "vae/model.safetensors": bytes(300_000), "vae/x.bin": b"no"}
COMMIT = "c" * 40


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does; `pace` is how its files are sent."""

    pace = "whole"

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path.startswith("/api/"):
            tree = [{"type": "file", "path": name, "size": len(FILES[name]), "oid": "0"} for name in FILES]
            body = json.dumps(tree if "/tree/" in self.path else {"id": "a/b", "sha": COMMIT}).encode()
        else:
            body = FILES.get(self.path.split(COMMIT + "/")[-1], b"")
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            with suppress(OSError):
                self.send(body)

    def send(self, body: bytes) -> None:
        if self.pace == "whole" or len(body) < 1000:
            self.wfile.write(body)
            return
        for k in range(len(body)):
            self.wfile.write(body[k : k + 1])
            time.sleep(0.1)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    class Handler(Hub):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield Handler
    server.shutdown()
    server.server_close()


def fetch() -> Path:
    return Path(hub.fetch("a/b", ["vae/*"], ["*.bin"]))


def test_a_whole_pipeline_and_again_from_the_cache(
    server: type[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fetch()
    assert sorted(path.name for path in (folder / "vae").iterdir()) == ["config.json", "model.safetensors"]
    assert (folder / "vae/model.safetensors").read_bytes() == FILES["vae/model.safetensors"]
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert fetch() == folder


@pytest.mark.parametrize(
    ("pace", "limits", "expected"),
    [
        ("drip", Limits(1.5, 20, least_bytes=1000), "next to nothing arrived for 1.5 s"),
        ("drip", Limits(10, 2), r"took over .* hours; what arrived is kept"),
        ("drip", Limits(20, 20, most_bytes=5), "far more arrives"),
    ],
)
def test_without_an_end(
    server: type[Hub], monkeypatch: pytest.MonkeyPatch, pace: str, limits: Limits, expected: str
) -> None:
    server.pace = pace
    monkeypatch.setattr(hub, "LIMITS", limits)
    started = time.monotonic()
    with pytest.raises(OSError, match=expected):
        fetch()
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("source", ["a b/c", "a/b/c", "https://u@h/x", "../x"])
def test_no_repository(server: type[Hub], source: str) -> None:
    with pytest.raises(OSError) as caught:
        hub.fetch(source, ["*"], [])
    assert "\n" not in str(caught.value)
