"""Servers that mean no good: a name server whose answers change, and HTTP servers that never come to an end."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import dns.asyncresolver
import dns.message
import dns.rrset
from aiohttp.abc import AbstractResolver, ResolveResult

Answers = list[list[str]]
"""What a name resolves to: the first, then the second, ... and the last for good."""


class _NameServer(asyncio.DatagramProtocol):
    def __init__(self, names: dict[str, Answers]) -> None:
        self._names = names
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        name = query.question[0].name.to_text(omit_final_dot=True)
        answers = self._names[name]
        self.asked.append(name)
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        response.answer.append(dns.rrset.from_text(query.question[0].name, 0, "IN", "A", *addresses))
        self._transport.sendto(response.to_wire(), addr)


class Resolver(AbstractResolver):
    """Asks a name server, and no other, every time."""

    def __init__(self, server: _NameServer, port: int) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = ["127.0.0.1"]
        self._resolver.port = port
        self._server = server

    @property
    def asked(self) -> list[str]:
        """The names, in the order in which they were asked for."""
        return self._server.asked

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - of the interface
    ) -> list[ResolveResult]:
        answer = await self._resolver.resolve(host, "A")
        return [
            ResolveResult(
                hostname=host, host=str(each), port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
            for each in answer
        ]

    async def close(self) -> None:
        """Nothing is open between two questions."""


@asynccontextmanager
async def name_server(names: dict[str, Answers]) -> AsyncGenerator[Resolver]:
    """A DNS server on a free port, as a resolver that asks it."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: _NameServer(names), local_addr=("127.0.0.1", 0))
    try:
        yield Resolver(server, cast("int", transport.get_extra_info("sockname")[1]))
    finally:
        transport.close()


Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(write: Write) -> AsyncGenerator[str]:
    """A server that answers a request with whatever `write` sends; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await write(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it was told to go away, which is the point
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def endless_headers(writer: asyncio.StreamWriter) -> None:
    """One header after another."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Again: and again\r\n")
        await writer.drain()


async def endless_header(writer: asyncio.StreamWriter) -> None:
    """One header that goes on and on."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        writer.write(b"x" * 1000)
        await writer.drain()


async def silence(_writer: asyncio.StreamWriter) -> None:
    """No answer."""
    await asyncio.Event().wait()


async def dripping_headers(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, so that no time between two bytes is long."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 8000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.01)


async def dripping_body(writer: asyncio.StreamWriter) -> None:
    """The same, once the head is sent."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)
