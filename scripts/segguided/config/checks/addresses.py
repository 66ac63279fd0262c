"""Web addresses in the configuration: it is printed and kept with every result, so it holds no secrets."""

from urllib.parse import urlsplit


def check_address(address: str) -> str:
    """The address. Raises ValueError, which does not repeat it, where it holds a login or a query."""
    try:
        parts = urlsplit(address)
        login, query = "@" in parts.netloc, bool(parts.query or parts.fragment)
    except ValueError:
        login, query = "@" in address, "?" in address
    if login:
        raise ValueError(
            "expected an address without user and password, for the configuration is printed and kept with "
            "the results; remove them and write them into ~/.netrc (machine HOST login USER password SECRET)"
        )
    if query:
        raise ValueError("expected an address without ? and #, for names of files are added; correct it")
    return address
