"""Resumable HTTPS downloads: a partial file is continued where a cut connection or a kill left it."""

import errno
import logging
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import requests
from urllib3.exceptions import HTTPError

from segguided.data.download.answers import NoSuchFile, TryAgain, answer, https_session
from segguided.shown import printable, without_secrets

PATIENCE_S = 9.0  # without a new byte, no try follows: a dead server is given up within 30 s
PAUSES_S = (1.0, 2.0, 4.0)  # before tries that follow one without a new byte
LONGEST_S = 3600.0  # for one file in one run; what arrived by then stays
SLOW_S = 30.0  # so long a server may send less than LEAST_RATE
LEAST_RATE = 1000.0  # bytes a second
MOST_BYTES = 4_000_000_000  # of one file, where no size is known
KEPT_FREE = 100_000_000  # bytes of the disk
LOOK_EVERY = 1 << 26  # bytes, between two looks at what is free
CHUNK = 1 << 18
REFUSED = (401, 403)
ABSENT = (404, 410)
BUSY = (408, 425, 429, 500, 502, 503, 504)
ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e]*"')
PAGE = (b"<!doctype html", b"<html")

LOG = logging.getLogger("segguided")


@dataclass(frozen=True)
class _Limits:
    """Of one file: bytes, the moment (of the monotonic clock) to be there, whether a web page will do."""

    most: int
    deadline: float
    page: bool


def download(
    url: str,
    part: Path,
    most: int = MOST_BYTES,
    session: requests.Session | None = None,
    *,
    page: bool = False,
) -> str:
    """Bring the file `part` to the whole content of `url`, asking only for the bytes it lacks.

    Returns the address it came from in the end, after redirects. Failures that may pass are tried again.
    Raises OSError, one sentence that starts with the address, where the server is dead, too slow, refuses,
    lacks the file, sends over `most` bytes or a web page though it is no `page`, where the disk has no room,
    or where it takes over an hour; then `part` stays for the next run unless it is of no use. Nobody but this
    function may take `part` for whole.
    """
    session, shown = session or https_session(), _shown(url)
    part.parent.mkdir(parents=True, exist_ok=True)
    started = moved = time.monotonic()
    limits, fruitless = _Limits(most, started + LONGEST_S, page), 0
    while True:
        before, begun = _size(part), time.monotonic()
        try:
            return _transfer(url, part, session, limits)
        except (TryAgain, requests.RequestException, HTTPError) as error:
            if lasting := _lasting(error):
                raise OSError(f"{shown}: {lasting}") from error
            now, reason, grown = time.monotonic(), _passing(error), _size(part) - before
            if now > limits.deadline:
                raise OSError(_too_long(shown)) from error
            if grown > 0:
                moved = now
            if grown > 0 and grown >= LEAST_RATE * (now - begun):
                fruitless = 0
            if now - moved > PATIENCE_S or fruitless == len(PAUSES_S):
                raise OSError(f"{shown}: {reason}, and again when tried anew") from error
        LOG.info("%s: %s; trying again from %.1f MB", shown, reason, _size(part) / 1e6)
        time.sleep(PAUSES_S[fruitless])
        fruitless += 1


def _shown(url: str) -> str:
    return printable(without_secrets(url))


def _too_long(shown: str) -> str:
    return (
        f"{shown}: took over {LONGEST_S:g} s and is not complete; run the same command again, "
        "which continues it"
    )


def _transfer(url: str, part: Path, session: requests.Session, limits: _Limits) -> str:
    """One request; its answer is appended to `part` or, where the server sends all of it, replaces it."""
    have, etag = _size(part), part.with_name(f"{part.name}.etag")
    with answer(session, url, _headers(have, etag)) as response:
        status, at_end = response.status_code, f"bytes */{have}"
        if status != 416 or response.headers.get("Content-Range") != at_end:
            expected = _total(url, response, have, part)
            _check_room(url, part, expected, have if status == 206 else 0, limits.most)
            if status == 200:
                told = response.headers.get("ETag", "")
                etag.write_text(told if ETAG.fullmatch(told) else "", encoding="utf-8")
            _append(url, response, part, limits)
            if expected is not None and _size(part) != expected:
                raise TryAgain(f"the server sent {_size(part)} of {expected} bytes")
    etag.unlink(missing_ok=True)
    return str(response.url)


def _append(url: str, response: requests.Response, part: Path, limits: _Limits) -> None:
    appends = response.status_code == 206
    size = _size(part) if appends else 0
    check = _Check(url, part, limits, size)
    with _ended_at(limits.deadline, response):
        # As sent: a .gz file whose server declares that as its compression must stay compressed. Whatever has
        # come is taken at once: to wait for a whole chunk would be to wait for ever.
        chunk = response.raw.read1(CHUNK, decode_content=False)
        if not size and not limits.page and chunk.lstrip().lower().startswith(PAGE):
            # Of what came before, nothing is overwritten.
            part.with_name(f"{part.name}.etag").unlink(missing_ok=True)
            raise OSError(f"{_shown(url)}: the server sent a web page in place of the file")
        with part.open("ab" if appends else "wb") as file:
            while chunk:
                size += len(chunk)
                check(size)
                file.write(chunk)
                chunk = response.raw.read1(CHUNK, decode_content=False)
        check.time()  # an answer that was ended here looks like one that came to its end


class _Check:
    """Called with the size of what has come: raises an error where it is too much, too slow or too late."""

    def __init__(self, url: str, part: Path, limits: _Limits, size: int) -> None:
        self.url, self.part, self.limits = url, part, limits
        self.look_at = size
        self._begin(size)

    def _begin(self, size: int) -> None:
        """Watch the rate over the next SLOW_S."""
        self.slow_at, self.least = time.monotonic() + SLOW_S, size + SLOW_S * LEAST_RATE

    def __call__(self, size: int) -> None:
        now = self.time()
        if size > self.limits.most or size >= self.look_at:
            _check_room(self.url, self.part, size, size, self.limits.most)
            self.look_at = size + LOOK_EVERY
        if now > self.slow_at:
            if size < self.least:
                raise TryAgain(f"the server sends less than {LEAST_RATE:g} bytes a second")
            self._begin(size)

    def time(self) -> float:
        """The time now, unless it is over."""
        now = time.monotonic()
        if now > self.limits.deadline:
            raise OSError(_too_long(_shown(self.url)))
        return now


@contextmanager
def _ended_at(deadline: float, response: requests.Response) -> Iterator[None]:
    """Within, reading ends at the deadline, even where what arrives is nothing that can be returned."""

    def end() -> None:
        with suppress(OSError, ValueError, RuntimeError, TypeError):  # it has ended by itself
            response.raw.shutdown()

    timer = Timer(max(0.0, deadline - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _check_room(url: str, part: Path, expected: int | None, have: int, most: int) -> None:
    """Raise OSError where a file of `expected` bytes, `have` of them here, is too large, or the disk full."""
    shown = _shown(url)
    if (expected or 0) > most:
        part.unlink(missing_ok=True)
        raise OSError(
            f"{shown}: expected a file of at most {most / 1e6:g} MB, but the server sends more; "
            "nothing was kept"
        )
    free = shutil.disk_usage(part.parent).free
    if free < (expected or 0) - have + KEPT_FREE:
        lacking = "more" if expected is None or expected == have else f"{(expected - have) / 1e6:.0f} MB"
        raise OSError(
            errno.ENOSPC,
            f"{shown}: no room for {lacking} in {part.parent} ({free / 1e6:.0f} MB free there, of which "
            f"{KEPT_FREE / 1e6:.0f} MB are kept free); free some space and run the same command again",
        )


def _headers(have: int, etag: Path) -> dict[str, str]:
    """A range for what is lacking, as long as the server's file is the one that was begun."""
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        known = etag.read_text(encoding="utf-8") if etag.is_file() else ""
        if known and not known.startswith("W/"):
            headers["If-Range"] = known
    return headers


def _total(url: str, response: requests.Response, have: int, part: Path) -> int | None:
    """Bytes of the whole file, None where the server tells none; anything but its content is an error."""
    status = response.status_code
    if status == 200:
        length = response.headers.get("Content-Length", "")
        return int(length) if _is_number(length) else None
    if status == 206:
        unit, _, total = response.headers.get("Content-Range", "").partition("/")
        if unit.startswith(f"bytes {have}-") and _is_number(total):
            return int(total)
    if status in (206, 416):
        part.unlink(missing_ok=True)
        raise TryAgain("the server answered with other bytes than those asked for")
    if status in BUSY:
        raise TryAgain(f"the server is busy or broken ({status})")
    if status in REFUSED:
        raise OSError(f"{_shown(url)}: the server refuses it ({status})")
    if status in ABSENT:
        raise NoSuchFile(f"{_shown(url)}: the server has no such file ({status})")
    raise OSError(f"{_shown(url)}: the server gave an unexpected answer ({status})")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _lasting(error: Exception) -> str:
    """What no new try mends; empty where one may."""
    if isinstance(error, requests.exceptions.InvalidSchema):
        return "it leads away from https, which is not followed"
    if isinstance(error, requests.TooManyRedirects):
        return "it leads from one address to the next without an end"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "the server's certificate is not trusted"
    passing = (TryAgain, HTTPError, requests.ConnectionError, requests.Timeout)
    if isinstance(error, (*passing, requests.exceptions.ChunkedEncodingError)):
        return ""
    return f"no valid answer ({_shown(' '.join(str(error).split()))[:200]})"


def _passing(error: Exception) -> str:
    if isinstance(error, TryAgain):
        return str(error)
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "the server does not answer in time"
    if isinstance(error, requests.ConnectionError) and "Remote end closed" not in str(error):
        return "the server cannot be reached"
    return "the connection was cut"
