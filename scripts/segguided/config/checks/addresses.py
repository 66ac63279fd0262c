"""Web addresses in the configuration, which is printed and kept with every result: they hold no secrets."""

from urllib.parse import urlsplit


def check_address(address: str) -> str:
    """The same address. Raises ValueError, which does not repeat it, where it holds a login or a query."""
    try:
        parts = urlsplit(address)
        has_login = "@" in parts.netloc
        has_query = bool(parts.query or parts.fragment)
    except ValueError:
        has_login = "@" in address
        has_query = "?" in address
    if has_login:
        raise ValueError(
            "expected an address without user and password, because the configuration is printed and kept "
            "with the results; move them to ~/.netrc (machine HOST login USER password SECRET)"
        )
    if has_query:
        raise ValueError(
            "expected an address without ? and #, because names of files are added to it; correct it"
        )
    return address
