"""The answer of a web server: over HTTPS, after redirects, within a time that no server can stretch."""

from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from threading import Thread
from urllib.parse import urljoin

import requests

TIMEOUT_S = (2.0, 8.0)  # to connect to each address of a name (a dozen at most); between two bytes
ANSWER_S = 26.0  # until all headers have arrived
MOVED = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 10


class TryAgain(OSError):
    """A failure that may pass: trying again can help."""


class NoSuchFile(OSError):
    """The server answers that it has no such file."""


class Session(requests.Session):
    """A session that leaves redirects to `answer`: requests would read and unpack even endless bodies."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: this session follows no redirect."""
        return None


def https_session() -> Session:
    """A session that uses only HTTPS, also after redirects."""
    session = Session()
    del session.adapters["http://"]
    return session


def reach(url: str) -> None:
    """Return when the server answers, whatever it answers. Raises TryAgain or requests' errors otherwise."""
    with Session() as session:
        _ask(session, "HEAD", url, {}).close()


def answer(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """The answer after all redirects, its body unread; the caller closes it.

    Raises TryAgain where no answer comes in time, and requests' errors, such as TooManyRedirects.
    """
    for _ in range(MOST_REDIRECTS + 1):
        response = _ask(session, "GET", url, headers)
        target = response.headers.get("Location")
        if response.status_code not in MOVED or not target:
            return response
        response.close()
        url = urljoin(url, target)
    raise requests.TooManyRedirects


def _ask(session: requests.Session, method: str, url: str, headers: dict[str, str]) -> requests.Response:
    """One answer. Another thread asks, because the time limit of a socket starts anew with each byte."""
    future: Future[requests.Response] = Future()

    def ask() -> None:
        try:
            future.set_result(session.request(method, url, headers=headers, stream=True, timeout=TIMEOUT_S))
        except Exception as error:  # raised again below, by future.result
            future.set_exception(error)

    Thread(target=ask, daemon=True).start()
    try:
        return future.result(ANSWER_S)
    except NoAnswer:
        if future.done():  # the thread itself raised it: sockets raise the same type
            raise
        raise TryAgain("the server does not answer in time") from None
