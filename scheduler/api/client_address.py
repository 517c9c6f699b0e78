"""Where a request comes from: the peer, or whoever it speaks for where it is a proxy that TRUSTED_PROXIES names."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from flask import request

from scheduler.api.services import services

Network = IPv4Network | IPv6Network


def client_address() -> str:
    """The address of the present request's client: the last one on its way that is no trusted proxy."""
    return forwarded_for(
        request.remote_addr or "", request.headers.getlist("X-Forwarded-For"), services().trusted_proxies
    )


def is_encrypted() -> bool:
    """Whether the client speaks TLS, with us or with a trusted proxy."""
    if _is_trusted(request.remote_addr or "", services().trusted_proxies):
        return request.headers.get("X-Forwarded-Proto", request.scheme) == "https"
    return request.scheme == "https"


def forwarded_for(peer: str, headers: Sequence[str], proxies: Sequence[Network]) -> str:
    """`peer`, or the last hop in the X-Forwarded-For `headers` that is none of `proxies`, if all behind it are."""
    address = peer
    hops = [hop.strip() for hop in ",".join(headers).split(",") if hop.strip()]
    while hops and _is_trusted(address, proxies):
        if not _is_address(hops[-1]):
            break
        address = hops.pop()
    return address


def _is_trusted(address: str, proxies: Sequence[Network]) -> bool:
    return bool(proxies) and _is_address(address) and any(ip_address(address) in network for network in proxies)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
