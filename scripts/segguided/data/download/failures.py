"""Why a download failed, in words, and whether trying again can help."""

import requests
from urllib3.exceptions import HTTPError

from segguided.data.download.answers import TryAgain
from segguided.shown import printable, without_secrets


def shown_address(url: str) -> str:
    """The address as messages may show it: without logins and signatures."""
    return printable(without_secrets(url))


def lasting_reason(error: Exception) -> str:
    """The reason, where trying again cannot help; else empty."""
    if isinstance(error, requests.exceptions.InvalidSchema):
        return "it leads away from https, which is not followed"
    if isinstance(error, requests.TooManyRedirects):
        return "it leads from one address to the next without an end"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "the server's certificate is not trusted"
    passing = (TryAgain, HTTPError, requests.ConnectionError, requests.Timeout)
    if isinstance(error, (*passing, requests.exceptions.ChunkedEncodingError)):
        return ""
    return f"no valid answer ({shown_address(' '.join(str(error).split()))[:200]})"


def passing_reason(error: Exception) -> str:
    """The reason of a failure that may pass."""
    if isinstance(error, TryAgain):
        return str(error)
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "the server does not answer in time"
    if isinstance(error, requests.ConnectionError) and "Remote end closed" not in str(error):
        return "the server cannot be reached"
    return "the connection was cut"
