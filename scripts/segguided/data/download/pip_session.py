"""Web requests as pip's settings ask: proxy, certificates, hosts that are trusted without, logins."""

from collections.abc import Iterable, Mapping
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
    """HTTPS only, but for this machine itself and the hosts that pip is told to trust."""
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
    """The address without user and password, which the session knows."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class _Adapter(HTTPAdapter):
    def __init__(self, trusted: Iterable[str]) -> None:
        self.trusted = frozenset(trusted)
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send the request, unless it is neither encrypted nor to a trusted host."""
        parts = urlsplit(str(request.url))
        trusted = {str(parts.hostname), f"{parts.hostname}:{parts.port}"} & self.trusted
        if parts.scheme != "https" and not trusted and not _is_here(parts.hostname or ""):
            raise requests.exceptions.InvalidSchema
        if trusted:
            kwargs["verify"] = False
        return super().send(request, *args, **kwargs)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class _Logins(AuthBase):
    """Sends each server the login that its own address holds, or netrc for it: no other one."""

    def __init__(self, urls: Iterable[str]) -> None:
        self.known: Mapping[str, Login] = {}
        for url in urls:
            parts = urlsplit(url)
            login, found, host = parts.netloc.rpartition("@")
            user, _, password = login.partition(":")
            if found:
                self.known = {**self.known, f"{parts.scheme}://{host}": (unquote(user), unquote(password))}

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the login to the request."""
        parts = urlsplit(str(request.url))
        login = self.known.get(f"{parts.scheme}://{parts.netloc}") or get_netrc_auth(str(request.url))
        return HTTPBasicAuth(*login)(request) if login else request
