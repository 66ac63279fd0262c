"""Resumable HTTPS downloads: a partial file is continued where an earlier run stopped."""

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
from segguided.data.download.failures import lasting_reason, passing_reason, shown_address

PATIENCE_S = 9.0  # so long without a new byte, and no try follows: a dead server is given up within 30 s
PAUSES_S = (1.0, 2.0, 4.0)  # between tries that bring too few bytes
LONGEST_S = 3600.0  # for one file in one run; the bytes that arrived by then stay
SLOW_S = 30.0  # for so long a server may send less than LEAST_RATE
LEAST_RATE = 1000.0  # bytes a second
MOST_BYTES = 4_000_000_000  # of one file
KEPT_FREE = 100_000_000  # bytes of the disk that stay free
CHECK_EVERY = 1 << 26  # bytes between two checks of the free space
CHUNK = 1 << 18
REFUSED = (401, 403)
ABSENT = (404, 410)
BUSY = (408, 425, 429, 500, 502, 503, 504)
ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e]*"')
PAGE = (b"<!doctype html", b"<html")

LOG = logging.getLogger("segguided")


@dataclass(frozen=True)
class _Limits:
    """What is allowed for one file."""

    most: int  # bytes
    deadline: float  # in seconds of the monotonic clock
    page: bool  # whether it may be a web page


def download(
    url: str,
    part: Path,
    most: int = MOST_BYTES,
    session: requests.Session | None = None,
    *,
    page: bool = False,
) -> str:
    """Complete the file `part` to the content of `url`, asking only for the bytes that are missing.

    Returns the address that the content came from, after redirects. Failures that may pass are tried again.
    Raises OSError, one sentence that starts with the address, where the server is dead, too slow, refuses,
    has no such file, sends over `most` bytes, or sends a web page (unless `page`); where the disk has no
    room; and where it takes over an hour. Then `part` stays for the next run, unless it is useless. A `part`
    is complete only when this function has returned.
    """
    session = session or https_session()
    part.parent.mkdir(parents=True, exist_ok=True)
    limits = _Limits(most, time.monotonic() + LONGEST_S, page)
    retries = _Retries(shown_address(url), part, limits.deadline)
    while True:
        retries.begin()
        try:
            return _transfer(url, part, session, limits)
        except (TryAgain, requests.RequestException, HTTPError) as error:
            retries.check(error)
        retries.pause()


class _Retries:
    """Decides after a failed try whether another follows."""

    def __init__(self, shown: str, part: Path, deadline: float) -> None:
        self.shown = shown
        self.part = part
        self.deadline = deadline
        self.progress_s = time.monotonic()  # when a try last brought bytes
        self.fruitless = 0  # number of tries since one brought enough bytes

    def begin(self) -> None:
        """Note the state before a try."""
        self.start_s = time.monotonic()
        self.size_at_start = _size(self.part)

    def check(self, error: Exception) -> None:
        """Raise OSError where no other try follows the one that ended with `error`."""
        lasting = lasting_reason(error)
        if lasting:
            raise OSError(f"{self.shown}: {lasting}") from error
        now = time.monotonic()
        if now > self.deadline:
            raise OSError(_too_long(self.shown)) from error
        new_bytes = _size(self.part) - self.size_at_start
        if new_bytes > 0:
            self.progress_s = now
            if new_bytes >= LEAST_RATE * (now - self.start_s):
                self.fruitless = 0
        reason = passing_reason(error)
        if now - self.progress_s > PATIENCE_S or self.fruitless == len(PAUSES_S):
            raise OSError(f"{self.shown}: {reason}, also when tried again") from error
        LOG.info("%s: %s; trying again from %.1f MB", self.shown, reason, _size(self.part) / 1e6)

    def pause(self) -> None:
        """Wait before the next try."""
        time.sleep(PAUSES_S[self.fruitless])
        self.fruitless += 1


def _too_long(shown: str) -> str:
    return (
        f"{shown}: took over {LONGEST_S:g} s and is not complete; run the same command again, "
        "which continues it"
    )


def _transfer(url: str, part: Path, session: requests.Session, limits: _Limits) -> str:
    """One request. The answer is appended to `part`, or replaces it where the server sends the whole file.

    Returns the address of the answer. Raises TryAgain where the answer is not complete.
    """
    have = _size(part)
    etag = part.with_name(f"{part.name}.etag")
    with answer(session, url, _headers(have, etag)) as response:
        status = response.status_code
        complete = status == 416 and response.headers.get("Content-Range") == f"bytes */{have}"
        if not complete:
            expected = _total(url, response, have, part)
            _check_room(url, part, expected, have if status == 206 else 0, limits.most)
            if status == 200:
                sent = response.headers.get("ETag", "")
                etag.write_text(sent if ETAG.fullmatch(sent) else "", encoding="utf-8")
            _append(url, response, part, limits)
            if expected is not None and _size(part) != expected:
                raise TryAgain(f"the server sent {_size(part)} of {expected} bytes")
    etag.unlink(missing_ok=True)
    return str(response.url)


def _append(url: str, response: requests.Response, part: Path, limits: _Limits) -> None:
    """Write the body of the answer to `part`."""
    appends = response.status_code == 206
    size = _size(part) if appends else 0
    check = _ArrivalCheck(url, part, limits, size)
    with _ended_at(limits.deadline, response):
        # decode_content=False: some servers declare a .gz file as compressed content, but it must stay .gz.
        # read1 returns the bytes that have arrived: waiting for a whole chunk could take for ever.
        chunk = response.raw.read1(CHUNK, decode_content=False)
        if not size and not limits.page and chunk.lstrip().lower().startswith(PAGE):
            # `part` is not opened, so that the bytes of earlier answers stay in it.
            part.with_name(f"{part.name}.etag").unlink(missing_ok=True)
            raise OSError(f"{shown_address(url)}: the server sent a web page in place of the file")
        with part.open("ab" if appends else "wb") as file:
            while chunk:
                size += len(chunk)
                check(size)
                file.write(chunk)
                chunk = response.raw.read1(CHUNK, decode_content=False)
        check.time()  # an answer that was cut off at the deadline looks like a complete one


class _ArrivalCheck:
    """Called with the size of `part` so far: raises an error where it is too large, too slow or too late."""

    def __init__(self, url: str, part: Path, limits: _Limits, size: int) -> None:
        self.url = url
        self.part = part
        self.limits = limits
        self.next_check = size  # of the free space, at this size
        self._watch_rate(size)

    def _watch_rate(self, size: int) -> None:
        """Set the size that must be reached after SLOW_S."""
        self.slow_at = time.monotonic() + SLOW_S
        self.least_size = size + SLOW_S * LEAST_RATE

    def __call__(self, size: int) -> None:
        now = self.time()
        if size > self.limits.most or size >= self.next_check:
            _check_room(self.url, self.part, size, size, self.limits.most)
            self.next_check = size + CHECK_EVERY
        if now > self.slow_at:
            if size < self.least_size:
                raise TryAgain(f"the server sends less than {LEAST_RATE:g} bytes a second")
            self._watch_rate(size)

    def time(self) -> float:
        """The time. Raises OSError after the deadline."""
        now = time.monotonic()
        if now > self.limits.deadline:
            raise OSError(_too_long(shown_address(self.url)))
        return now


@contextmanager
def _ended_at(deadline: float, response: requests.Response) -> Iterator[None]:
    """Inside, reading ends at the deadline, also where the bytes that arrive are no content."""

    def end() -> None:
        with suppress(OSError, ValueError, RuntimeError, TypeError):  # it ended before
            response.raw.shutdown()

    timer = Timer(max(0.0, deadline - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _check_room(url: str, part: Path, expected: int | None, have: int, most: int) -> None:
    """Raise OSError where a file of `expected` bytes is too large, or the disk has no room for its rest.

    `have` bytes of the file are on the disk; `expected` is None where the size is unknown.
    """
    shown = shown_address(url)
    if (expected or 0) > most:
        part.unlink(missing_ok=True)
        raise OSError(
            f"{shown}: expected a file of at most {most / 1e6:g} MB, but the server sends more; "
            "nothing was kept"
        )
    free = shutil.disk_usage(part.parent).free
    if free < (expected or 0) - have + KEPT_FREE:
        missing = "more" if expected is None or expected == have else f"{(expected - have) / 1e6:.0f} MB"
        raise OSError(
            errno.ENOSPC,
            f"{shown}: no room for {missing} in {part.parent} ({free / 1e6:.0f} MB free there, of which "
            f"{KEPT_FREE / 1e6:.0f} MB are kept free); free some space and run the same command again",
        )


def _headers(have: int, etag: Path) -> dict[str, str]:
    """Headers that ask for the missing bytes, if the server's file is still the one that was begun."""
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        tag = etag.read_text(encoding="utf-8") if etag.is_file() else ""
        if tag and not tag.startswith("W/"):
            headers["If-Range"] = tag
    return headers


def _total(url: str, response: requests.Response, have: int, part: Path) -> int | None:
    """Bytes of the whole file; None where the server does not say. Raises OSError for other answers."""
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
        raise OSError(f"{shown_address(url)}: the server refuses it ({status})")
    if status in ABSENT:
        raise NoSuchFile(f"{shown_address(url)}: the server has no such file ({status})")
    raise OSError(f"{shown_address(url)}: the server gave an unexpected answer ({status})")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
