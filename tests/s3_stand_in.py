"""A local S3 server: the requests a download makes (ListObjectsV2, HEAD and GET of an object), and faults.

Written here because moto's S3 cannot be installed beside the pins: botocore refuses python-dateutil 4.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "open-data"
OBJECT = (
    "<Contents><Key>{key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>&quot;{etag}&quot;</ETag>"
    "<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
LISTING = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Name>{bucket}</Name><Prefix>{prefix}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys>"
    "<IsTruncated>false</IsTruncated>{objects}</ListBucketResult>"
)
ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
CODES = {403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}


class StandIn:
    """`faults[name]`: what happens to the next GETs of the object of that file name, or of a "list".

    A status (500), "cut" (half of the body, then the connection closes) or seconds to wait before answering.
    """

    def __init__(self, port: int):
        self.endpoint = f"http://127.0.0.1:{port}"
        self.objects: dict[str, bytes] = {}
        self.private: set[str] = set()
        self.faults: dict[str, list[Any]] = defaultdict(list)
        self.sent: list[str] = []  # file names of objects whose body was sent whole

    def upload(self, prefix: str, files: list[Path], public: bool = True) -> str:
        """Put the files below `prefix`; the address of the series."""
        keys = {f"{prefix}/{path.name}": path.read_bytes() for path in files}
        self.objects |= keys
        self.private |= set() if public else keys.keys()
        return f"s3://{BUCKET}/{prefix}/*"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        key = self._key()
        if key and key not in self.stand_in.objects:
            self._answer(404, b"")
        else:
            self._answer(200, self.stand_in.objects.get(key, b""))

    def do_GET(self) -> None:
        query, key = parse_qs(urlsplit(self.path).query), self._key()
        name = Path(key).name or "list"
        faults = self.stand_in.faults[name]
        fault = faults.pop(0) if faults else None
        if isinstance(fault, float):
            time.sleep(fault)
        if isinstance(fault, int):
            status, body = fault, b""
        elif name == "list":
            status, body = 200, self._listing(query["prefix"][0])
        elif key in self.stand_in.private:
            status, body = 403, b""
        else:
            status, body = (200, self.stand_in.objects[key]) if key in self.stand_in.objects else (404, b"")
        self._answer(status, body, cut=fault == "cut")
        if status == 200 and fault != "cut":
            self.stand_in.sent.append(name)

    def _key(self) -> str:
        """The object that is asked for, empty where the bucket is."""
        return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").strip("/")

    def _listing(self, prefix: str) -> bytes:
        keys = sorted(key for key in self.stand_in.objects if key.startswith(prefix))
        parts = [
            OBJECT.format(
                key=escape(key), etag=_etag(self.stand_in.objects[key]), size=len(self.stand_in.objects[key])
            )
            for key in keys
        ]
        return LISTING.format(
            bucket=BUCKET, prefix=escape(prefix), count=len(keys), objects="".join(parts)
        ).encode()

    def _answer(self, status: int, body: bytes, cut: bool = False) -> None:
        body = ERROR.format(code=CODES[status]).encode() if status >= 400 else body
        self.send_response(status)
        for name, value in (
            ("Content-Length", str(len(body))),
            ("Content-Type", "application/xml" if body.startswith(b"<?xml") else "binary/octet-stream"),
            ("ETag", f'"{_etag(body)}"'),
            ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT"),
            ("x-amz-bucket-region", "us-east-1"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection = cut


def _etag(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


@contextmanager
def serve() -> Iterator[StandIn]:
    """A stand-in that stops with the block."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stand_in = StandIn(server.server_address[1])
    handler.stand_in = stand_in  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
