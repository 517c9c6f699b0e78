"""The guard around HTTP: every address is judged at the moment it is dialled.

The check sits in the connector's socket factory, which sees the very address of each connection: of names and
literals, of redirects, and of a name that resolves to something else the second time (DNS rebinding).
"""

import ipaddress
import socket
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import ClientConnectorError, ClientHandlerType, ClientRequest, ClientResponse, TCPConnector
from aiohttp.abc import AbstractResolver
from yarl import URL

from scheduler.domain.errors import PermanentError
from scheduler.tasks.addresses import AllowList, is_public

AddressInfo: TypeAlias = "tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]]"


@dataclass(slots=True)
class _Dial:
    """The host that a request is about, for the dials made on its behalf."""

    host: str
    refused: bool = False


_dial: ContextVar[_Dial | None] = ContextVar("dial", default=None)


class _AddressRefused(OSError):
    """An OSError, so that aiohttp goes on to the host's next address as after any other failed dial."""


class NetworkGuard:
    """Lets connections reach the public internet, and what the allow-list opens, whatever the resolver answers."""

    def __init__(self, allow: AllowList, resolver: AbstractResolver | None = None) -> None:
        self._allow = allow
        self._resolver = resolver

    def connector(self) -> TCPConnector:
        """A connector whose every dial is judged; its requests go through `bind`, without which no name is opened."""
        return TCPConnector(socket_factory=self._open_socket, resolver=self._resolver, limit=0)

    async def bind(self, request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
        """aiohttp middleware, called for the request and for each redirect: ties the dials to the host they are for.

        Raises PermanentError (`address_refused`) when the host was refused.
        """
        host = request.url.raw_host or ""
        dial = _Dial(host)
        token = _dial.set(dial)
        try:
            return await send(request)
        except ClientConnectorError:
            if dial.refused:
                raise _refusal(request.url) from None
            raise
        finally:
            _dial.reset(token)

    def _open_socket(self, info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, target = info
        dial = _dial.get()
        address = ipaddress.ip_address(str(target[0]))
        port = target[1]
        opened = isinstance(port, int) and self._allow.allows(dial.host if dial else "", address, port)
        if not (opened or is_public(address)):
            if dial:
                dial.refused = True
            raise _AddressRefused("the address is not public")
        return socket.socket(family, kind, protocol)


def _refusal(url: URL) -> PermanentError:
    # The address stays unsaid: what an internal name resolves to is not for everyone who may create a job.
    return PermanentError(
        f"{url.raw_host} leads to an address that is not public, and is refused. "
        f"An administrator can open it: API_TASK_ALLOW={url.host_subcomponent}:{url.port}.",
        type="address_refused",
    )
