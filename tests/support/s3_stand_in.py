"""moto's S3 on this machine, behind a layer that adds the faults of real servers."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from moto.backends import get_backend
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "open-data"
CODES = {403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}
ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'


class StandIn:
    """`faults[name]` says what happens to the next GET requests for that file name, or for a "list".

    A status (500), "cut" (half of the body, then the connection closes), "stall" (half of it, then silence),
    "slow" (all of it, but in 20 pieces of 0.1 s each) or seconds to wait before answering.
    """

    def __init__(self) -> None:
        self.endpoint = ""
        self.faults: dict[str, list[Any]] = defaultdict(list)
        self.sent: list[str] = []  # file names of objects whose body was sent whole
        self.closing = threading.Event()
        self._moto = create_backend_app("s3")

    def upload(self, prefix: str, files: list[Path], public: bool = True) -> str:
        """Put the files below `prefix`; the address of the series."""
        account = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=self.endpoint, **account)
        client.create_bucket(Bucket=BUCKET)
        for path in files:
            acl = "public-read" if public else "private"  # downloads come unsigned
            client.put_object(Bucket=BUCKET, Key=f"{prefix}/{path.name}", Body=path.read_bytes(), ACL=acl)
        return f"s3://{BUCKET}/{prefix}/*"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        request = Request(environ)
        if request.method != "GET":
            return self._moto(environ, start_response)
        name = "list" if "prefix" in request.args else Path(request.path).name
        fault = self.faults[name].pop(0) if self.faults[name] else None
        if isinstance(fault, float):
            self.closing.wait(fault)
        if isinstance(fault, int):
            error = ERROR.format(code=CODES[fault])
            return Response(error, fault, content_type="application/xml")(environ, start_response)
        response = Response.from_app(self._moto, environ)
        whole = response.get_data()
        if fault in ("cut", "stall", "slow"):
            response.headers["Connection"] = "close"
            response.response = self._pieces(whole, fault)
            response.automatically_set_content_length = False
        elif response.status_code in (200, 206):
            self.sent.append(name)
        return response(environ, start_response)

    def _pieces(self, whole: bytes, fault: str) -> Iterator[bytes]:
        if fault == "slow":
            step = len(whole) // 20 + 1
            for start in range(0, len(whole), step):
                yield whole[start : start + step]
                self.closing.wait(0.1)
            return
        yield whole[: len(whole) // 2]
        if fault == "stall":
            self.closing.wait(60)


class _Handler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Silence."""


@contextmanager
def serve() -> Iterator[StandIn]:
    """A stand-in that stops, and forgets its objects, at the end of the block."""
    stand_in = StandIn()
    server = make_server("127.0.0.1", 0, stand_in, threaded=True, request_handler=_Handler)
    server.daemon_threads = True
    stand_in.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield stand_in
    finally:
        stand_in.closing.set()
        server.shutdown()
        server.server_close()
        get_backend("s3").reset()
