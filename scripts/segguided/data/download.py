"""Resumable HTTPS downloads: a partial file is continued where a cut connection or a kill left it."""

import logging
import time
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

TIMEOUT_S = (2.0, 8.0)  # to connect, at each of a name's addresses (a dozen at most), and between bytes
PATIENCE_S = 9.0  # without a new byte, no try follows: a dead server is given up within 30 s
PAUSES_S = (1.0, 2.0, 4.0)  # before tries that follow one without a new byte
LONGEST_S = 3600.0  # for one file in one run; what arrived by then stays
CHUNK = 1 << 18
REFUSED = (401, 403)
ABSENT = (404, 410)
BUSY = (408, 425, 429, 500, 502, 503, 504)

LOG = logging.getLogger("segguided")


class TryAgain(OSError):
    """A failure that may pass."""


def https_session() -> requests.Session:
    """A session that speaks HTTPS only, after redirects too."""
    session = requests.Session()
    del session.adapters["http://"]
    return session


def download(url: str, part: Path) -> None:
    """Bring the file `part` to the whole content of `url`, asking only for the bytes it lacks.

    Failures that may pass are tried again. Raises OSError, one sentence that starts with the address, where
    the server is dead, refuses, lacks the file, or where it takes over an hour; then `part` stays for the
    next run. Nobody but this function may take `part` for whole.
    """
    session = https_session()
    part.parent.mkdir(parents=True, exist_ok=True)
    started = moved = time.monotonic()
    fruitless = 0
    while True:
        before = _size(part)
        try:
            _transfer(url, part, session, started + LONGEST_S)
            return
        except (TryAgain, requests.RequestException, HTTPError) as error:
            if lasting := _lasting(error):
                raise OSError(f"{url}: {lasting}") from error
            now, reason = time.monotonic(), _passing(error)
            if _size(part) > before:
                moved, fruitless = now, 0
            if now - moved > PATIENCE_S or fruitless == len(PAUSES_S):
                raise OSError(f"{url}: {reason}, and again when tried anew") from error
        LOG.info("%s: %s; trying again from %.1f MB", url, reason, _size(part) / 1e6)
        time.sleep(PAUSES_S[fruitless])
        fruitless += 1


def _transfer(url: str, part: Path, session: requests.Session, deadline: float) -> None:
    """One request; its answer is appended to `part` or, where the server sends all of it, replaces it."""
    have, etag = _size(part), part.with_name(f"{part.name}.etag")
    with session.get(url, headers=_headers(have, etag), stream=True, timeout=TIMEOUT_S) as response:
        status, at_end = response.status_code, f"bytes */{have}"
        if status != 416 or response.headers.get("Content-Range") != at_end:
            expected = _total(url, response, have, part)
            if status == 200:
                etag.write_text(response.headers.get("ETag", ""), encoding="utf-8")
            _append(url, response, part, deadline)
            if expected is not None and _size(part) != expected:
                raise TryAgain(f"the server sent {_size(part)} of {expected} bytes")
    etag.unlink(missing_ok=True)


def _append(url: str, response: requests.Response, part: Path, deadline: float) -> None:
    with part.open("ab" if response.status_code == 206 else "wb") as file:
        # As sent: a .gz file whose server declares that as its compression must stay compressed.
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            file.write(chunk)
            if time.monotonic() > deadline:
                raise OSError(
                    f"{url}: took over {LONGEST_S:g} s and is not complete; run the same command again, "
                    "which continues it"
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
        return int(length) if length.isdecimal() else None
    if status == 206:
        unit, _, total = response.headers.get("Content-Range", "").partition("/")
        if unit.startswith(f"bytes {have}-") and total.isdecimal():
            return int(total)
    if status in (206, 416):
        part.unlink(missing_ok=True)
        raise TryAgain("the server answered with other bytes than those asked for")
    if status in BUSY:
        raise TryAgain(f"the server is busy or broken ({status})")
    if status in REFUSED:
        raise OSError(f"{url}: the server refuses it ({status})")
    if status in ABSENT:
        raise OSError(f"{url}: the server has no such file ({status})")
    raise OSError(f"{url}: the server gave an unexpected answer ({status})")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _lasting(error: Exception) -> str:
    """What no new try mends; empty where one may."""
    if isinstance(error, requests.exceptions.InvalidSchema):
        return "it leads away from https, which is not followed"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "the server's certificate is not trusted"
    passing = (TryAgain, HTTPError, requests.ConnectionError, requests.Timeout)
    if isinstance(error, (*passing, requests.exceptions.ChunkedEncodingError)):
        return ""
    return f"no valid answer ({' '.join(str(error).split())[:200]})"


def _passing(error: Exception) -> str:
    if isinstance(error, TryAgain):
        return str(error)
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "the server does not answer in time"
    if isinstance(error, requests.ConnectionError) and "Remote end closed" not in str(error):
        return "the server cannot be reached"
    return "the connection was cut"
