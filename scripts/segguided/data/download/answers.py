"""A web server's answer, over HTTPS, after redirects, and within a time that no server stretches."""

from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from threading import Thread
from urllib.parse import urljoin

import requests

TIMEOUT_S = (2.0, 8.0)  # to connect, at each of a name's addresses (a dozen at most), and between bytes
ANSWER_S = 26.0  # until all headers are there, byte by byte or at once
MOVED = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 10


class TryAgain(OSError):
    """A failure that may pass."""


class NoSuchFile(OSError):
    """The server answers, and has no such file."""


class Session(requests.Session):
    """One that leaves redirects to `answer`: requests reads their bodies, however long, and unpacks them."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: nothing is followed here."""
        return None


def https_session() -> Session:
    """A session that speaks HTTPS only, after redirects too."""
    session = Session()
    del session.adapters["http://"]
    return session


def reach(url: str) -> None:
    """Return once the server answers, whatever it says. Raises TryAgain or requests' errors otherwise."""
    with Session() as session:
        _ask(session, "HEAD", url, {}).close()


def answer(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """The answer at the end of all redirects, its body unread; whoever asked closes it.

    Raises TryAgain where none comes in time, requests' errors, and TooManyRedirects of them.
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
    """One answer, waited for beside the thread that asks: a time limit of sockets is one for each byte."""
    future: Future[requests.Response] = Future()

    def ask() -> None:
        try:
            future.set_result(session.request(method, url, headers=headers, stream=True, timeout=TIMEOUT_S))
        except Exception as error:  # raised below, where it is waited for
            future.set_exception(error)

    Thread(target=ask, daemon=True).start()
    try:
        return future.result(ANSWER_S)
    except NoAnswer:
        if future.done():  # it is the thread's own error: sockets raise the same type
            raise
        raise TryAgain("the server does not answer in time") from None
