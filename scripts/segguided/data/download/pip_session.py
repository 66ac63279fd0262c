"""Web requests by pip's settings: proxy, certificates, logins, and hosts trusted without a certificate."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_netrc_auth

from segguided.data.download.answers import Session
from segguided.data.download.pip_settings import PipSettings

Login = tuple[str, str]


def pip_session(settings: PipSettings) -> Session:
    """A session that uses only HTTPS, except to this machine and to the hosts that pip is told to trust."""
    session = Session()
    session.mount("https://", _Adapter(settings.trusted))
    session.mount("http://", _Adapter(settings.trusted))
    session.auth = _Logins([*settings.indexes, *settings.links])
    session.cert = settings.client_cert
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    if settings.cert:
        session.verify = settings.cert
    return session


def without_login(url: str) -> str:
    """The address without user and password; the session knows them."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class _Adapter(HTTPAdapter):
    """Refuses to send requests without encryption, except to trusted hosts and to this machine."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self.trusted = frozenset(trusted)
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send the request, unless it is neither encrypted nor to a trusted host."""
        parts = urlsplit(str(request.url))
        trusted = {str(parts.hostname), f"{parts.hostname}:{parts.port}"} & self.trusted
        if parts.scheme != "https" and not trusted and not _is_this_machine(parts.hostname or ""):
            raise requests.exceptions.InvalidSchema
        if trusted:
            kwargs["verify"] = False
        return super().send(request, *args, **kwargs)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class _Logins(AuthBase):
    """Sends each server only its own login: that of its address in the settings, or else of netrc."""

    def __init__(self, urls: Iterable[str]) -> None:
        self.login_of: dict[str, Login] = {}  # by the server's address
        for url in urls:
            parts = urlsplit(url)
            login, at, host = parts.netloc.rpartition("@")
            user, _, password = login.partition(":")
            if at:
                self.login_of[f"{parts.scheme}://{host}"] = (unquote(user), unquote(password))

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the login to the request."""
        parts = urlsplit(str(request.url))
        login = self.login_of.get(f"{parts.scheme}://{parts.netloc}") or get_netrc_auth(str(request.url))
        return HTTPBasicAuth(*login)(request) if login else request
