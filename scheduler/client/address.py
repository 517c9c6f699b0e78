"""Where the API is: a URL that can be one, and nothing secret in it."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from scheduler.domain.errors import ConfigurationError


def checked_url(url: str) -> str:
    """`url` without its last slash; raises ConfigurationError when it is no address of an API."""
    advice = "give something like http://127.0.0.1:3000"
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ConfigurationError(f"The API's address holds characters that no address has: {advice}.")
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        httpx.URL(url).host.encode("idna")  # as it is done to connect
    except (ValueError, httpx.InvalidURL):
        raise ConfigurationError(f"The API's address is not a URL: {advice}.") from None
    if not is_address or parts.query or parts.fragment:
        raise ConfigurationError(f"The API's address is not an http or https URL: {advice}.")
    if parts.username is not None:
        raise ConfigurationError("The API's address holds a user name: set SCHEDULER_TOKEN instead.")
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """`token`; raises ConfigurationError, which does not show it, when it cannot be one."""
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigurationError("SCHEDULER_TOKEN holds characters that no token has: set it again.")
    return token


def is_loopback(url: str) -> bool:
    """Whether the API at `url` is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
