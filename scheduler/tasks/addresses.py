"""Which IP addresses are the public internet, and which others an administrator has opened."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias

from scheduler.domain.errors import ConfigurationError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NOT_PUBLIC: Final = tuple(
    map(
        IPv4Network,
        (
            "192.0.0.0/24",  # protocol assignments; one cloud's metadata service is in it
            "192.88.99.0/24",  # 6to4 relays, which lead elsewhere
            "168.63.129.16/32",  # another cloud's metadata and host service, on an address that looks public
        ),
    )
)
"""What `ipaddress` of the supported Python versions takes for global, and is not."""

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_DOCUMENTATION: Final = IPv6Network("3fff::/20")
_NAT64: Final = IPv6Network("64:ff9b::/96")

_HOST: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


def is_public(address: Address) -> bool:
    """Whether anyone on the internet could reach it; an IPv4 address inside an IPv6 one is judged by itself."""
    if isinstance(address, IPv4Address):
        return (
            address.is_global
            and not address.is_multicast
            and not address.is_reserved
            and not any(address in network for network in _NOT_PUBLIC)
        )
    if (embedded := _embedded(address)) is not None:
        return is_public(embedded)
    return address in _GLOBAL_UNICAST and address.is_global and address not in _DOCUMENTATION


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped, NAT64 or 6to4 address leads to. (Teredo is 2001::/32: never public.)"""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


@dataclass(frozen=True, slots=True)
class _Opened:
    """One entry: a host by its name, or a network; at one port, or at all."""

    host: str | None
    network: Network | None
    port: int | None


class AllowList:
    """The entries of `API_TASK_ALLOW`: `host`, `host:port` or `CIDR`. Raises ConfigurationError on any other."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._opened = tuple(map(_parsed, entries))

    def allows(self, host: str, address: Address, port: int) -> bool:
        """Whether `address`, dialled for the host name `host`, is opened by name or by address.

        A name opens whatever it resolves to, and only to requests that bear this name.
        """
        plain = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
        name = host.lower().rstrip(".")
        return any(
            (each.port is None or each.port == port)
            and (each.host == name if each.network is None else plain in each.network)
            for each in self._opened
        )


def _parsed(entry: str) -> _Opened:
    try:
        if "/" in entry:
            return _Opened(None, ip_network(entry), None)
        host, port = _host_and_port(entry)
        try:
            return _Opened(None, ip_network(ip_address(host)), port)
        except ValueError:
            return _Opened(_host_name(host), None, port)
    except ValueError as wrong:
        raise ConfigurationError(
            f"API_TASK_ALLOW: {entry!r} is not a host, host:port or CIDR network ({wrong})."
        ) from None


def _host_name(text: str) -> str:
    name = text.rstrip(".").encode("idna").decode().lower()
    if not _HOST.fullmatch(name):
        raise ValueError("a host name holds letters, digits, - and dots")
    return name


def _host_and_port(entry: str) -> tuple[str, int | None]:
    """Split `host`, `host:port`, `::1`, `[::1]` or `[::1]:port`."""
    if found := re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?", entry):
        host, port = found[1], found[2]
    elif entry.count(":") == 1:
        host, port = entry.split(":")
    else:
        host, port = entry, None
    if port is None:
        return host, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("a port is a number from 1 to 65535")
    return host, int(port)
